import { maxUint32 } from '../../protocol/integers.ts';
import { textOf } from '../../protocol/utf8.ts';
import { partMaxLength } from '../limits.ts';
import type { Field } from './tables.ts';

/** The fields of a message as they came, without defaults. A oneof has the name, value and fields of its last one. */
export type Raw = Record<string, unknown>;

/**
 * Parses protobuf by the tables, as protobufjs does: skips unknown fields, takes the last of several values, and merges
 * a message that comes twice. Throws where protobufjs throws, and at a group, which proto3 has not. Bytes are views
 * into the message.
 */
export class Parser {
  #at = 0;
  #end: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  message(fields: readonly Field[], raw: Raw): Raw {
    while (this.#at < this.#end) {
      const tag = this.#uint(maxUint32);
      const wireType = tag & 7;
      const field = fields[(tag >>> 3) - 1];
      if (field?.wireType === wireType) this.#field(field, raw);
      else if (field?.isList && field.type === 'u' && wireType === 2) this.#packed(field, raw);
      else this.#skip(tag);
    }
    return raw;
  }

  /** A packed list of integers. */
  #packed(field: Field, raw: Raw): void {
    const end = this.#enter();
    while (this.#at < this.#end) this.#field(field, raw);
    this.#end = end;
  }

  #field(field: Field, raw: Raw): void {
    const { name, fields, isList, oneOf } = field;
    const [last, one] = (oneOf ? (raw[oneOf] ?? []) : [name, raw[name]]) as readonly unknown[];
    const before = isList || last !== name ? undefined : one;
    const value = fields ? this.#inner(fields, (before ?? {}) as Raw) : this.#value(field);
    if (oneOf) raw[oneOf] = [name, value, fields];
    else if (!isList) raw[name] = value;
    else if (raw[name]) (raw[name] as unknown[]).push(value);
    else raw[name] = [value];
  }

  #value({ wireType, isText, bits }: Field): unknown {
    if (wireType === 0) return this.#varint(bits);
    const bytes = this.#sized(wireType);
    if (wireType === 2) return isText ? shortText(bytes) : bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return wireType === 1 ? view.getFloat64(0, true) : view.getUint32(0, true);
  }

  #inner(fields: readonly Field[], raw: Raw): Raw {
    const end = this.#enter();
    this.message(fields, raw);
    this.#end = end;
    return raw;
  }

  /** Limits reading to the next bytes, whose length comes first. Returns the previous end, to be restored. */
  #enter(): number {
    const length = this.#uint(partMaxLength);
    const end = this.#end;
    this.#end = this.#at + length;
    if (this.#end > end) throw new RangeError();
    return end;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError();
    return this.#bytes[this.#at++] as number;
  }

  /** The bytes of a value that is no varint. */
  #sized(wireType: number): Uint8Array {
    const length = wireType === 2 ? this.#uint(partMaxLength) : wireType === 1 ? 8 : 4;
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new RangeError();
    return this.#bytes.subarray(start, this.#at);
  }

  /** A tag or a length: at most five bytes. */
  #uint(max: number): number {
    const start = this.#at;
    const value = this.#varint(64) as number;
    if (value > max || this.#at > start + 5) throw new RangeError();
    return value;
  }

  /** At most ten bytes. Cuts the value off at 64 bits, or at 32 if the type has those. */
  #varint(bits: number): number | boolean {
    let value = 0;
    let any = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      const low = byte & 127;
      any |= low;
      if (bits === 64) value += (i > 8 ? low & 1 : low) * 2 ** (7 * i);
      else if (i < 5) value += (i > 3 ? low & 15 : low) * 2 ** (7 * i);
      if (byte < 128) return bits === 1 ? any > 0 : value;
    }
    throw new RangeError();
  }

  #skip(tag: number): void {
    const wireType = tag & 7;
    if (tag < 8 || wireType === 3 || wireType === 4 || wireType > 5) throw new RangeError();
    if (wireType === 0) while (this.#byte() > 127);
    else this.#sized(wireType);
  }
}

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
