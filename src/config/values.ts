import { availableParallelism } from 'node:os';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { parseUrl } from '../url.ts';

/**
 * A kind of option value. Its schema takes what a flag or a variable gives (text), and what a file or a caller gives
 * (the value itself). A fault's message reads on after the name of the option: "must be …".
 */
export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  /** What follows the flag in the help; absent: the flag takes no value. */
  readonly placeholder?: string;
  /** The flag may be given several times. */
  readonly repeatable?: true;
  /** The value for people: help, OPTIONS.md, check-config. Empty if there is nothing to say. */
  format(value: T): string;
}

/** `culprit`: the part of the input that is wrong, if it is a part. */
interface Fault {
  readonly fault: string;
  readonly culprit?: unknown;
}

type Attempt<T> = { readonly value: T } | Fault | { readonly faults: readonly Fault[] };

export function parsed<T>(parse: (input: unknown) => Attempt<T>): z.ZodType<T> {
  return z.unknown().transform((input, context) => {
    const attempt = parse(input);
    if ('value' in attempt) return attempt.value;
    for (const { fault, culprit } of 'faults' in attempt ? attempt.faults : [attempt])
      context.issues.push({ code: 'custom', message: fault, input: culprit ?? input });
    return z.NEVER;
  });
}

function wholeNumber(input: unknown, min: number, max: number): number | undefined {
  const value = typeof input === 'string' && /^\d{1,16}$/.test(input.trim()) ? Number(input) : input;
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
    ? value
    : undefined;
}

export function integer(min: number, max: number): Kind<number> {
  return {
    schema: parsed<number>((input) => {
      const value = wholeNumber(input, min, max);
      return value === undefined ? { fault: `must be a whole number from ${min} to ${max}` } : { value };
    }),
    placeholder: 'N',
    format: String,
  };
}

/** A number of processes; `auto`: one for each core that this process may use. */
export function processes(max: number): Kind<number> {
  return {
    schema: parsed<number>((input) => {
      const value = input === 'auto' ? Math.min(availableParallelism(), max) : wholeNumber(input, 1, max);
      return value === undefined ? { fault: `must be auto or a whole number from 1 to ${max}` } : { value };
    }),
    placeholder: 'N',
    format: String,
  };
}

/** A port; 0 picks a free one. `undefined`: not set. */
export function optionalPort(): Kind<number | undefined> {
  const { schema, placeholder } = integer(0, 65_535);
  return {
    schema: schema.optional(),
    placeholder,
    format: (value) => (value === undefined ? '' : String(value)),
  };
}

const byteUnits = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** "64KiB" for 65536; a number that no unit divides stays as it is. */
export function formatBytes(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find(
    (each) => bytes >= byteUnits[each] && bytes % byteUnits[each] === 0,
  );
  return unit ? `${bytes / byteUnits[unit]}${unit}` : String(bytes);
}

function parseBytes(input: unknown): number {
  if (typeof input === 'number') return input;
  const match = typeof input === 'string' && /^(\d{1,16}(?:\.\d{1,6})?) ?(KiB|MiB|GiB|)$/.exec(input.trim());
  return match ? Number(match[1]) * byteUnits[match[2] as keyof typeof byteUnits] : Number.NaN;
}

/** A size: a number of bytes, or 64KiB, 1.5MiB, 1GiB. */
export function bytes(min: number, max: number): Kind<number> {
  return {
    schema: parsed<number>((input) => {
      const value = wholeNumber(parseBytes(input), min, max);
      if (value !== undefined) return { value };
      return { fault: `must be a size from ${formatBytes(min)} to ${formatBytes(max)}, like 65536 or 64KiB` };
    }),
    placeholder: 'SIZE',
    format: formatBytes,
  };
}

export function choice<const T extends string>(choices: readonly T[]): Kind<T> {
  return {
    schema: parsed<T>((input) => {
      const value = choices.find((each) => each === input);
      return value === undefined ? { fault: `must be one of ${choices.join(', ')}` } : { value };
    }),
    placeholder: choices.length > 4 ? 'NAME' : choices.join('|'),
    format: String,
  };
}

const booleans: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };

export const boolean: Kind<boolean> = {
  schema: parsed<boolean>((input) => {
    const value = Object.hasOwn(booleans, String(input)) ? booleans[String(input)] : undefined;
    return value === undefined ? { fault: 'must be true or false' } : { value };
  }),
  format: String,
};

export function text(placeholder: string, isValid: (value: string) => boolean, fault: string): Kind<string> {
  return {
    schema: parsed<string>((input) =>
      typeof input === 'string' && isValid(input.trim()) ? { value: input.trim() } : { fault },
    ),
    placeholder,
    format: String,
  };
}

/** A secret is taken verbatim, spaces included. `undefined`: not set. */
export function secretText(minBytes: number): Kind<string | undefined> {
  return {
    schema: parsed<string | undefined>((input) =>
      input === undefined || (typeof input === 'string' && Buffer.byteLength(input) >= minBytes)
        ? { value: input }
        : { fault: `must be a text of at least ${minBytes} bytes` },
    ),
    placeholder: 'SECRET',
    format: () => '',
  };
}

/** The items of a list: those of an array, or what is between the commas of a text. */
export function itemsOf(input: unknown): unknown[] {
  const parts: unknown[] = Array.isArray(input) ? input : [input];
  return parts.flatMap((part) => (typeof part === 'string' ? part.split(',') : [part]));
}

/**
 * Several texts: an array, or one text with commas between them. `faultOf`: what is wrong with one of them (it is
 * called with an empty text for a value that is no text); undefined: nothing.
 */
export function list(
  placeholder: string,
  faultOf: (item: string) => string | undefined,
): Kind<readonly string[]> {
  return {
    schema: parsed<readonly string[]>((input) => {
      const items = itemsOf(input);
      const texts = items.map((item) => (typeof item === 'string' ? item.trim() : ''));
      const value = texts.filter((item, index) => item !== '' || items[index] !== '');
      const faults = value.flatMap((item) => {
        const fault = faultOf(item);
        return fault === undefined ? [] : { fault, culprit: item === '' ? undefined : item };
      });
      return faults.length > 0 ? { faults } : { value };
    }),
    placeholder,
    repeatable: true,
    format: (items) => items.join(', '),
  };
}

/** `10.0.0.0/8` or `2001:db8::1`. */
export function isAddressRange(value: string): boolean {
  const address = value.replace(/\/.*/s, '');
  return isAddress(address) && (address === value || ipaddr.isValidCIDR(value));
}

/** In full notation only: ipaddr.js would take `127`, and `010.0.0.1` as octal, for IPv4 addresses. */
export function isAddress(value: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(value) || ipaddr.IPv6.isValid(value);
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isAddress(host) && ipaddr.process(host).range() === 'loopback';
}

/** A fault never quotes the URL, which may hold a password. */
export function redisUrlFault(value: string): string | undefined {
  const fault = 'must be URLs like redis://localhost:6379 or rediss://user:password@host:6379/0';
  const url = parseUrl(value);
  if (url === undefined) return fault;
  const { protocol, hostname, pathname } = url;
  const isRedis = protocol === 'redis:' || protocol === 'rediss:';
  return isRedis && hostname !== '' && /^\/?\d*$/.test(pathname) ? undefined : fault;
}

/** Keys that authenticate clients must not come over the network in plain text. */
export function isKeysUrl(value: string): boolean {
  const url = parseUrl(value);
  if (url === undefined) return false;
  const { protocol, hostname, username, password } = url;
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')));
}

/** Requests are signed, so plain HTTP is acceptable in a private network. */
export function isHookUrl(value: string): boolean {
  const url = parseUrl(value);
  if (url === undefined) return false;
  const { protocol, username, password, hash } = url;
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === '';
}
