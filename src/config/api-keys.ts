import { z } from 'zod';
import { sha256 as digestOf } from '../digest.ts';
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
  .refine(
    ({ key, sha256 }) => (key === undefined) !== (sha256 === undefined),
    'an object has either key or sha256',
  )
  .refine(
    ({ scopes, topics }) => topics === undefined || (scopes !== undefined && !scopes.includes('admin')),
    'a key with topics has scopes, of publish and read',
  );

/** What is wrong with an object, by its member. */
const memberFaults: Readonly<Record<string, string>> = {
  name: 'name has 1 to 64 of A-Z a-z 0-9 _ . -',
  key: 'key has at least 16 characters (ASCII without spaces)',
  sha256: 'sha256 has 64 hex digits',
  scopes: 'scopes are one or more of publish, read, admin',
  topics: 'topics are one or more names, or patterns like server:*',
};
const otherFault = 'an object has name, key or sha256, scopes, topics, and nothing else';

/** A key, or why it is none. The fault shows nothing of it, because it may hold a key. */
type ReadKey = ConfiguredKey | { readonly fault: string };

function readText(text: string): ReadKey {
  const [, name, sha256] = hashed.exec(text) ?? [];
  if (sha256 !== undefined) return { name, sha256: sha256.toLowerCase() };
  return plain.test(text) && !text.includes(',') ? { key: text } : { fault };
}

function readObject(input: unknown): ReadKey {
  const { data, error } = entry.safeParse(input);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  const why = issue?.code === 'custom' ? issue.message : memberFaults[String(issue?.path[0])];
  return { fault: `${fault}: ${why ?? otherFault}` };
}

function readAll(input: unknown): readonly ConfiguredKey[] | { readonly fault: string } {
  const items = itemsOf(input);
  const nonEmpty = items.filter((item) => typeof item !== 'string' || item.trim() !== '');
  if (items.length > nonEmpty.length && nonEmpty.length === 0) return { fault };
  const keys: ConfiguredKey[] = [];
  for (const item of nonEmpty) {
    const key = typeof item === 'string' ? readText(item.trim()) : readObject(item);
    if ('fault' in key) return key;
    keys.push(key);
  }
  const names = keys.flatMap(({ name }) => name ?? []);
  if (new Set(names).size < names.length) return { fault: `${fault}: two have one name` };
  // Only one of them would hold, with its scopes and topics.
  const digests = keys.map(({ key = '', sha256 }) => sha256?.toLowerCase() ?? digestOf(key).toString('hex'));
  return new Set(digests).size < digests.length ? { fault: `${fault}: one is there twice` } : keys;
}

/** Keys as text (flags, variables), or as objects (file). */
export const apiKeyList: Kind<readonly ConfiguredKey[]> = {
  schema: parsed<readonly ConfiguredKey[]>((input) => {
    const value = readAll(input);
    return 'fault' in value ? value : { value };
  }),
  placeholder: 'KEY',
  repeatable: true,
  format: () => '',
};
