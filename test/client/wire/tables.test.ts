import { resolve } from 'node:path';
import protobufjs from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { clientFrame, type Field, serverFrame } from '../../../src/client/wire/tables.ts';

const root = protobufjs.loadSync(resolve(import.meta.dirname, '../../../proto/gateway.proto'));

const scalarTypes: Readonly<Record<string, string>> = {
  string: 'srS',
  uint32: 'uU',
  uint64: 'nNPiIe',
  bool: 'bBO',
  double: 'd',
  fixed32: 'f',
  bytes: 'xjJkK',
};

/** Every field of the message, and of those in it, has its name, place and type in the table. */
function expectTable(message: protobufjs.Type, fields: readonly Field[], seen = new Set<string>()): void {
  if (seen.has(message.name)) return;
  seen.add(message.name);
  expect(
    fields.map(({ name }) => name),
    message.name,
  ).toEqual([...message.fieldsArray].sort((a, b) => a.id - b.id).map(({ name }) => name));
  fields.forEach((field, index) => {
    const of = message.fields[field.name]?.resolve() as protobufjs.Field;
    const where = `${message.name}.${field.name}`;
    expect(of.id, where).toBe(index + 1);
    expect(of.repeated, where).toBe(field.many === '*' || field.many === '+');
    if (of.resolvedType instanceof protobufjs.Type) {
      expect(field.fields, where).toBeDefined();
      expectTable(of.resolvedType, field.fields ?? [], seen);
    } else if (of.resolvedType) expect('mo', where).toContain(field.type);
    else if (of.map) expect(field.type, where).toBe('t');
    else expect(scalarTypes[of.type], where).toContain(field.type);
  });
}

describe('the tables of messages', () => {
  it.each([
    ['ServerFrame', serverFrame],
    ['ClientFrame', clientFrame],
  ])('of %s are those of proto/gateway.proto', (name, fields) => {
    expectTable(root.lookupType(`sluice.v1.${name}`), fields);
  });
});
