import { z } from 'zod';
import { itemsOf, type Kind, parsed } from './values.ts';

/** A key as it is configured. It has either `key`, in plain text, or `sha256`, in hex. */
export interface ConfiguredKey {
  /** For logs and metrics. Default: `key-1`, `key-2` … by place. */
  readonly name?: string;
  readonly key?: string;
  readonly sha256?: string;
  /** Default: all. */
  readonly scopes?: readonly ('publish' | 'read' | 'admin')[];
  /** Topics and patterns to which it is limited; absent: all. A limited key can't administer. */
  readonly topics?: readonly string[];
}

const plain = /^[!-~]{16,}$/;
const hashed = /^(?:([A-Za-z0-9_.-]{1,64})=)?sha256:([0-9a-fA-F]{64})$/;
const fault =
  'must be keys of at least 16 characters each (ASCII without spaces and commas), or NAME=sha256:HEX as `sluice key` prints it';

const entry = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/)
      .optional(),
    key: z.string().regex(plain).optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/)
      .optional(),
    scopes: z
      .array(z.enum(['publish', 'read', 'admin']))
      .min(1)
      .optional(),
    topics: z
      .array(
        z
          .string()
          .regex(/^[A-Za-z0-9_\-.:/@%]*\*?$/)
          .min(1),
      )
      .min(1)
      .max(1000)
      .optional(),
  })
  .refine(({ key, sha256 }) => (key === undefined) !== (sha256 === undefined))
  .refine(
    ({ scopes, topics }) => topics === undefined || (scopes !== undefined && !scopes.includes('admin')),
  );

function readText(text: string): ConfiguredKey | undefined {
  const [, name, sha256] = hashed.exec(text) ?? [];
  if (sha256 !== undefined) return { name, sha256: sha256.toLowerCase() };
  return plain.test(text) && !text.includes(',') ? { key: text } : undefined;
}

/** Returns undefined if it is invalid. The fault shows nothing of it, because it may hold a key. */
function readOne(input: unknown): ConfiguredKey | undefined {
  return typeof input === 'string' ? readText(input.trim()) : entry.safeParse(input).data;
}

function readAll(input: unknown): readonly ConfiguredKey[] | undefined {
  const given = itemsOf(input).filter((item) => typeof item !== 'string' || item.trim() !== '');
  const keys = given.map(readOne);
  const names = keys.flatMap((key) => key?.name ?? []);
  if (keys.includes(undefined) || new Set(names).size < names.length) return undefined;
  return keys as ConfiguredKey[];
}

/** Keys as text (flags, variables), or as objects (file). */
export const apiKeyList: Kind<readonly ConfiguredKey[]> = {
  schema: parsed<readonly ConfiguredKey[]>((input) => {
    const value = readAll(input);
    return value === undefined ? { fault } : { value };
  }),
  placeholder: 'KEY',
  repeatable: true,
  format: () => '',
};
