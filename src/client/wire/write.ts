import type { Payload } from '../../protocol/frames.ts';
import { utf8 } from '../../protocol/utf8.ts';
import { operands } from './operators.ts';
import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

type Bytes = ArrayLike<number>;

/** Writes protobuf by the tables. Leaves out absent fields and the defaults of proto3. */
export function write(fields: readonly Field[], values: Raw): Uint8Array {
  const { format, bytes } = (values['payload'] ?? {}) as Partial<Payload>;
  return joined(
    fields.flatMap((field, index) => {
      const { name, type, isList } = field;
      const number = index + 1;
      const value = name === format ? bytes : values[name];
      if (!isList) return (type === 'N' ? value !== undefined : value) ? written(field, number, value) : [];
      const list = Object.entries(value ?? {});
      if (type !== 'u') return list.flatMap((one) => written(field, number, type === 't' ? one : one[1]));
      return list.length > 0 ? block(number, joined(list.map(([, one]) => varint(one)))) : [];
    }),
  );
}

function written({ type, fields }: Field, number: number, value: unknown): Bytes[] {
  if (fields) return block(number, write(fields, asList(value as Raw)));
  // Of another realm where a test gives its page the TextEncoder of Node.
  if (ArrayBuffer.isView(value)) return block(number, value as Uint8Array);
  if (typeof value === 'string' && type !== 'o') return block(number, utf8(value));
  if (type !== 'd')
    return [
      varint(number * 8),
      varint(type === 'o' ? [...operands.keys()].indexOf(value) + 1 : Number(value)),
    ];
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setFloat64(0, value as number, true);
  return [varint(number * 8 + 1), eight];
}

function block(number: number, bytes: Bytes): Bytes[] {
  return [varint(number * 8 + 2), varint(bytes.length), bytes];
}

function varint(value: number): number[] {
  return value > 127 ? [(value % 128) + 128, ...varint(Math.floor(value / 128))] : [value];
}

function joined(parts: readonly Bytes[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** In protobuf a filter's single value is a list of one. */
function asList(values: Raw): Raw {
  return 'value' in values ? { ...values, values: [values['value']] } : values;
}
