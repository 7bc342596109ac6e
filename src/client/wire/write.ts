import { operatorNames } from './operators.ts';
import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

const encoder = new TextEncoder();

/** Writes protobuf by the tables. What is absent, or the default of proto3, is left out. */
export class Writer {
  #at = 0;
  #bytes = new Uint8Array(256);

  message(fields: readonly Field[], values: Raw): this {
    fields.forEach((field, index) => {
      const { name, type } = field;
      const value = field.isPayload ? payload(type, values) : values[name];
      if (field.isList) this.#list(field, index + 1, (value ?? []) as readonly unknown[]);
      else if (type === 'N' ? value !== undefined : value instanceof Uint8Array || value)
        this.#field(field, index + 1, value);
    });
    return this;
  }

  written(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #list(field: Field, number: number, list: readonly unknown[]): void {
    if (field.type !== 'u') for (const value of list) this.#field(field, number, value);
    else if (list.length > 0) {
      const packed = new Writer();
      for (const value of list) packed.#varint(value as number);
      this.#block(number, packed.written());
    }
  }

  #field(field: Field, number: number, value: unknown): void {
    const { type, fields } = field;
    if (fields) this.#block(number, new Writer().message(fields, operands(value as Raw)).written());
    else if (type === 't') {
      for (const [name, text] of Object.entries(value as Raw)) this.#tag(number, name, text as string);
    } else if (value instanceof Uint8Array) this.#block(number, value);
    else if (typeof value === 'string' && type !== 'o') this.#block(number, encoder.encode(value));
    else if (type === 'd') {
      this.#varint(number * 8 + 1);
      const eight = new Uint8Array(8);
      new DataView(eight.buffer).setFloat64(0, value as number, true);
      this.#append(eight);
    } else {
      this.#varint(number * 8);
      this.#varint(type === 'o' ? operatorNames.indexOf(value as string) + 1 : Number(value));
    }
  }

  #tag(number: number, name: string, value: string): void {
    const entry = new Writer();
    entry.#block(1, encoder.encode(name));
    entry.#block(2, encoder.encode(value));
    this.#block(number, entry.written());
  }

  #block(number: number, bytes: Uint8Array): void {
    this.#varint(number * 8 + 2);
    this.#varint(bytes.length);
    this.#append(bytes);
  }

  #varint(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    this.#append([...bytes, rest]);
  }

  #append(bytes: ArrayLike<number>): void {
    const end = this.#at + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#at);
    this.#at = end;
  }
}

function payload(type: string, { payload }: Raw): unknown {
  const { format, bytes } = (payload ?? {}) as { format?: string; bytes?: Uint8Array };
  return /j/i.test(type) === (format === 'json') ? bytes : undefined;
}

/** In protobuf the one value of a filter is a list of one. */
function operands(values: Raw): Raw {
  return 'value' in values ? { ...values, values: [values['value']] } : values;
}
