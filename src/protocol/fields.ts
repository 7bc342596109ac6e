import type { ErrorCode } from '../errors.ts';
import type { Payload } from './frames.ts';
import { lastInstantMs, maxUint32 } from './integers.ts';
import { canonicalTopic } from './user-topics.ts';
import { isWellFormed } from './utf8.ts';

/** The fields of a message as a codec's parser yields them. */
export type Raw = Readonly<Record<string, unknown>>;

/** Where the codecs differ in what their parsers yield. */
export interface Dialect {
  /** The member that holds the publication type of `publish` and `message`. */
  readonly eventMember: string;
  /** A point in time, `name` as in the frame ("timestampMs"), as milliseconds; null: absent; undefined: none. */
  instant(raw: Raw, name: string): number | null | undefined;
  /** null: absent; undefined: none. */
  payload(raw: Raw): Payload | null | undefined;
  /** The operator of a filter: "eq". */
  operator(value: unknown): unknown;
}

/** How much a peer may send of one thing. */
export interface Bounds {
  /** UTF-16 units of a string. */
  readonly text: number;
  /** Entries of a list. */
  readonly list: number;
}

/** A message that was a frame, or what was wrong with it. `id` is the command's where it could be read, else 0. */
export type Decoded<T> =
  | { readonly ok: true; readonly frame: T }
  | { readonly ok: false; readonly id: number; readonly code: ErrorCode; readonly message: string };

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

/** An entry of a list, and what is wrong with it. */
export interface ReadEntry<T> {
  readonly value: T;
  readonly fault: Fault | undefined;
}

/**
 * Reads and checks the fields of one message. Nothing throws: the first fault is kept in `faults`, and
 * what a reader returns then is a placeholder that must not be used. A field that is absent, null, or has the default
 * of proto3 is absent where it is optional.
 */
export class Fields {
  readonly raw: Raw;
  readonly dialect: Dialect;
  readonly bounds: Bounds;
  readonly #faults: { first?: Fault };
  readonly #path: string;

  constructor(raw: Raw, dialect: Dialect, bounds: Bounds, faults: { first?: Fault }, path = '') {
    this.raw = raw;
    this.dialect = dialect;
    this.bounds = bounds;
    this.#faults = faults;
    this.#path = path;
  }

  get fault(): Fault | undefined {
    return this.#faults.first;
  }

  fail(name: string, problem: string, code: ErrorCode = 'invalid_request'): void {
    this.#faults.first ??= { code, message: `${this.#path}${name} ${problem}` };
  }

  /** The fault of an entry that was read apart is one of the message after all. */
  blame(fault: Fault): void {
    this.#faults.first ??= fault;
  }

  has(name: string): boolean {
    return this.raw[name] !== undefined && this.raw[name] !== null;
  }

  /** Must be there and not be empty. */
  text(name: string, max = this.bounds.text, code?: ErrorCode): string {
    const value = this.optionalText(name, max, code);
    if (value === undefined) this.fail(name, 'is missing');
    return value ?? '';
  }

  /** The name of a topic or pattern, in its one spelling. */
  topic(name: string, max = this.bounds.text): string {
    return canonicalTopic(this.text(name, max));
  }

  /** May be empty. */
  anyText(name: string): string {
    return this.optionalText(name, this.bounds.text) ?? '';
  }

  /** `code`: of the fault. */
  optionalText(name: string, max = this.bounds.text, code?: ErrorCode): string | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null || value === '') return undefined;
    return this.#checkText(name, value, max, code);
  }

  /** An integer; where the field is absent, 0. */
  integer(name: string, max = Number.MAX_SAFE_INTEGER): number {
    return this.present(name, max) ?? 0;
  }

  /** An integer above 0; 0 means absent. */
  positive(name: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
    return this.present(name, max) || undefined;
  }

  /** An integer for which 0 and absence differ. */
  present(name: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null) return undefined;
    if (isInteger(value, max)) return value;
    this.fail(name, `must be an integer from 0 to ${max}`);
    return 0;
  }

  /** A finite number, absent: 0. */
  number(name: string, code?: ErrorCode): number {
    const value = this.raw[name];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.fail(name, 'must be a number', code);
    return 0;
  }

  /** True, or absent. */
  trueOrAbsent(name: string): true | undefined {
    return this.presentFlag(name) || undefined;
  }

  presentFlag(name: string): boolean | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'boolean') return value;
    this.fail(name, 'must be true or false');
    return false;
  }

  optionalInstant(name: string): number | undefined {
    const value = this.dialect.instant(this.raw, name);
    if (value === null || value === 0) return undefined;
    if (value !== undefined && Number.isInteger(value) && value > 0 && value <= lastInstantMs) return value;
    this.fail(name, 'must be a point in time from 1970 to 9999');
    return 0;
  }

  payload(): Payload | undefined {
    const value = this.dialect.payload(this.raw);
    if (value === undefined) this.fail('payload', 'must be JSON, or bytes in base64, and not both');
    return value ?? undefined;
  }

  texts(name: string): readonly string[] {
    return this.#entries(name).map((value, i) => this.#checkText(`${name}[${i}]`, value, this.bounds.text));
  }

  /** Not empty, or absent. */
  optionalTexts(name: string): readonly string[] | undefined {
    const values = this.texts(name);
    return values.length === 0 ? undefined : values;
  }

  /** The entries that are texts as they must be; the others are left out. */
  soundTexts(name: string): readonly string[] {
    return this.#entries(name).filter((value): value is string => isSoundText(value, this.bounds.text));
  }

  /** The entries that are integers as they must be; the others are left out. */
  soundIntegers(name: string): readonly number[] {
    return this.#entries(name).filter((value): value is number => isInteger(value, maxUint32));
  }

  list<T>(name: string, read: (fields: Fields) => T): readonly T[] {
    return this.#entries(name).map((value, i) => read(this.#inner(`${name}[${i}]`, value)));
  }

  /** Each entry has a fault of its own, which is none of the message; only the list itself can be one. */
  listApart<T>(name: string, read: (fields: Fields) => T): readonly ReadEntry<T>[] {
    return this.#entries(name).map((entry, i) => {
      const faults: { first?: Fault } = {};
      const apart = new Fields({}, this.dialect, this.bounds, faults, this.#path);
      const value = read(apart.#inner(`${name}[${i}]`, entry));
      return { value, fault: faults.first };
    });
  }

  /** The entries without a fault; the others are left out. Undefined: the list is absent or empty. */
  soundList<T>(name: string, read: (fields: Fields) => T): readonly T[] | undefined {
    const entries = this.listApart(name, read);
    if (entries.length === 0) return undefined;
    return entries.filter(({ fault }) => fault === undefined).map(({ value }) => value);
  }

  child<T>(name: string, read: (fields: Fields) => T): T {
    if (!this.has(name)) this.fail(name, 'is missing');
    return read(this.#inner(name, this.raw[name] ?? {}));
  }

  optionalChild<T>(name: string, read: (fields: Fields) => T): T | undefined {
    return this.has(name) ? this.child(name, read) : undefined;
  }

  /** An object whose members are strings; empty: absent. */
  textMap(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null) return undefined;
    if (!isRecord(value)) {
      this.fail(name, 'must be an object');
      return undefined;
    }
    const keys = Object.keys(value);
    for (const key of keys) {
      this.#checkText(`a name in ${name}`, key, Number.POSITIVE_INFINITY);
      this.#checkText(`a value in ${name}`, value[key], Number.POSITIVE_INFINITY);
    }
    return keys.length === 0 ? undefined : (value as Readonly<Record<string, string>>);
  }

  #inner(name: string, value: unknown): Fields {
    if (!isRecord(value)) this.fail(name, 'must be an object');
    const path = `${this.#path}${name}.`;
    return new Fields(isRecord(value) ? value : {}, this.dialect, this.bounds, this.#faults, path);
  }

  #entries(name: string): readonly unknown[] {
    const value = this.raw[name];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.fail(name, 'must be a list');
      return [];
    }
    if (value.length <= this.bounds.list) return value;
    this.fail(name, `may have ${this.bounds.list} entries at most`);
    return [];
  }

  #checkText(name: string, value: unknown, max: number, code?: ErrorCode): string {
    if (typeof value !== 'string') this.fail(name, 'must be a string', code);
    else if (value.length > max) this.fail(name, `may have ${max} characters at most`, code);
    else if (!isWellFormed(value)) this.fail(name, 'has half of a surrogate pair', code);
    else return value;
    return '';
  }
}

function isInteger(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function isSoundText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= max && isWellFormed(value);
}

function isRecord(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
