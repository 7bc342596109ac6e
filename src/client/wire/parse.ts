import type { Field } from './tables.ts';

/** The fields of a message as they came, without defaults. */
export type Raw = Record<string, unknown>;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const maxDepth = 100;

const tagFields: readonly Field[] = ['name', 'value'].map((name) => ({
  name,
  many: '',
  type: 's',
  fields: undefined,
}));

/** The wire type of a field: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
function wireTypeOf({ type, fields }: Field): number {
  if (fields || 'srSxjJkKt'.includes(type)) return 2;
  return type === 'd' ? 1 : type === 'f' ? 5 : 0;
}

/**
 * Reads protobuf by the tables, as protobufjs does: unknown fields are skipped, the last of several counts, a message
 * that comes twice is one. Throws where protobufjs throws. Bytes are views into the message.
 */
export class Parser {
  /** Of a frame. */
  kind: string | undefined;
  #at = 0;
  #end: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  message(fields: readonly Field[], raw: Raw, depth = 0): Raw {
    while (this.#at < this.#end) {
      const tag = this.#limited(4, 15);
      const field = fields[(tag >>> 3) - 1];
      if (field && (tag & 7) === wireTypeOf(field)) this.#field(field, raw, depth);
      // A list of integers in one piece.
      else if (field?.many && field.type === 'u' && (tag & 7) === 2) {
        this.#within(() => {
          while (this.#at < this.#end) this.#field(field, raw, depth);
        });
      } else this.#skip(tag, depth);
    }
    return raw;
  }

  #field(field: Field, raw: Raw, depth: number): void {
    const { name, type, many, fields } = field;
    if (type === 't') {
      const { name: key = '', value = '' } = this.#inner(tagFields, {}, depth - 1);
      raw[name] ??= {};
      // An own property, whatever its name.
      Object.defineProperty(raw[name], key as string, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      return;
    }
    const isList = many === '*' || many === '+';
    const value = fields
      ? this.#inner(fields, isList ? {} : ((raw[name] as Raw | undefined) ?? {}), depth)
      : this.#value(type);
    if (!isList) raw[name] = value;
    else if (raw[name]) (raw[name] as unknown[]).push(value);
    else raw[name] = [value];
    if (/[jk]/i.test(type)) delete raw[name === 'json' ? 'binary' : 'json'];
    if (depth === 0 && fields) {
      if (this.kind && this.kind !== name) delete raw[this.kind];
      this.kind = name;
    }
  }

  #value(type: string): unknown {
    switch (type) {
      case 's':
      case 'S':
        return decoder.decode(this.#take(this.#limited(4, 7)));
      case 'x':
      case 'j':
      case 'J':
      case 'k':
      case 'K':
        return this.#take(this.#limited(4, 7));
      case 'd':
      case 'f': {
        const { buffer, byteOffset } = this.#take(type === 'd' ? 8 : 4);
        const view = new DataView(buffer, byteOffset);
        return type === 'd' ? view.getFloat64(0, true) : view.getUint32(0, true);
      }
      default:
        return this.#varint(type);
    }
  }

  #inner(fields: readonly Field[], raw: Raw, depth: number): Raw {
    return this.#within(() => this.message(fields, raw, depth + 1));
  }

  /** Reads within the next bytes, whose length comes first. */
  #within<T>(read: () => T): T {
    const length = this.#limited(4, 7);
    const end = this.#end;
    this.#end = this.#at + length;
    if (this.#end > end) throw new RangeError();
    const value = read();
    this.#end = end;
    return value;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError();
    return this.#bytes[this.#at++] as number;
  }

  #take(length: number): Uint8Array {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new RangeError();
    return this.#bytes.subarray(start, this.#at);
  }

  /** A tag or a length: at most five bytes, the last of them at most `last`. */
  #limited(index: number, last: number): number {
    let value = 0;
    for (let i = 0; i <= index; i++) {
      const byte = this.#byte();
      if (i === index && byte > last) throw new RangeError();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw new RangeError();
  }

  /** Ten bytes at most; what exceeds 64 bits is cut off, and 32 bits where the type has those. */
  #varint(type: string): number | boolean {
    let value = 0;
    let any = false;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      const bits = byte & 127;
      any ||= bits > 0;
      const shift = 7 * i;
      const kept = 'uUm'.includes(type) ? (i < 4 ? bits : i > 4 ? 0 : bits & 15) : i > 8 ? bits & 1 : bits;
      value += kept * 2 ** shift;
      if (byte < 128) return 'bBO'.includes(type) ? any : value;
    }
    throw new RangeError();
  }

  #skip(tag: number, depth: number): void {
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (number === 0 || depth > maxDepth) throw new RangeError();
    if (wireType === 0) while (this.#byte() > 127);
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.#take(this.#limited(4, 7));
    else if (wireType === 5) this.#take(4);
    else if (wireType === 3) {
      for (;;) {
        const inner = this.#limited(4, 15);
        if ((inner & 7) === 4) {
          if (inner >>> 3 !== number) throw new RangeError();
          return;
        }
        this.#skip(inner, depth + 1);
      }
    } else throw new RangeError();
  }
}
