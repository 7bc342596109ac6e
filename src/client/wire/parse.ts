import { maxUint32 } from '../../protocol/integers.ts';
import { textOf } from '../../protocol/utf8.ts';
import type { Field } from './tables.ts';

/** The fields of a message as they came, without defaults. A oneof has the name, value and fields of its last one. */
export type Raw = Record<string, unknown>;

/**
 * Parses protobuf by the tables, as protobufjs does: skips unknown fields, takes the last of several values, and merges
 * a message that comes twice. Throws where protobufjs throws, and at a group, which proto3 has not. Bytes are views
 * into the message.
 */
export class Parser {
  #at: number;
  readonly #end: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  message(fields: readonly Field[], raw: Raw): Raw {
    while (this.#at < this.#end) {
      const tag = this.#uint();
      const wireType = tag & 7;
      const field = fields[(tag >>> 3) - 1];
      if (field?.wireType === wireType) this.#field(field, raw);
      else if (field?.isList && field.type === 'u' && wireType === 2) this.#inner().#packed(field, raw);
      else if (tag < 8) throw new RangeError();
      else if (wireType > 0) this.#skip(wireType);
      else while (this.#byte() > 127);
    }
    return raw;
  }

  /** A packed list of integers. */
  #packed(field: Field, raw: Raw): void {
    while (this.#at < this.#end) this.#field(field, raw);
  }

  #field(field: Field, raw: Raw): void {
    const { name, fields, isList, oneOf } = field;
    const [last, one] = (oneOf ? (raw[oneOf] ?? []) : [name, raw[name]]) as readonly unknown[];
    const before = isList || last !== name ? undefined : one;
    const value = fields ? this.#inner().message(fields, (before ?? {}) as Raw) : this.#value(field);
    if (oneOf) raw[oneOf] = [name, value, fields];
    else if (!isList) raw[name] = value;
    else if (raw[name]) (raw[name] as unknown[]).push(value);
    else raw[name] = [value];
  }

  #value({ wireType, isText, bits }: Field): unknown {
    if (wireType === 0) return bits > 64 ? this.#varint(bits) > 0 : this.#varint(bits);
    const start = this.#skip(wireType);
    if (wireType === 2) {
      const bytes = this.#bytes.subarray(start, this.#at);
      return isText ? shortText(bytes) : bytes;
    }
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start);
    return wireType === 1 ? view.getFloat64(0, true) : view.getUint32(0, true);
  }

  /** Reads the bytes of a message or a packed list, whose length comes first. */
  #inner(): Parser {
    const start = this.#skip(2);
    return new Parser(this.#bytes, start, this.#at);
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError();
    return this.#bytes[this.#at++] as number;
  }

  /** Moves to the end of a value that is no varint, and returns where its bytes start. */
  #skip(wireType: number): number {
    const length = wireType === 2 ? this.#uint() : (fixedLengths[wireType] as number);
    const start = this.#at;
    this.#at += length;
    // Not a number at a group.
    if (!(this.#at <= this.#end)) throw new RangeError();
    return start;
  }

  /** A tag or a length: at most five bytes. */
  #uint(): number {
    const start = this.#at;
    const value = this.#varint(64);
    if (value > maxUint32 || this.#at > start + 5) throw new RangeError();
    return value;
  }

  /** At most ten bytes. Cuts the value off at as many bits as its type has. */
  #varint(bits: number): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      const low = byte & 127;
      value += (bits > shift + 6 ? low : low % 2 ** (bits - shift)) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError();
  }
}

/** In bytes, by the wire type. */
const fixedLengths: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/** Most texts are short and ASCII, for which a `TextDecoder` is slow to start. */
function shortText(bytes: Uint8Array): string {
  if (bytes.length > 32) return textOf(bytes);
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte > 127) return textOf(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}
