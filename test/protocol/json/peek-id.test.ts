import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codecs } from '../../support/codecs.ts';

const peek = (text: string) => codecs.json.peekId(Buffer.from(text));

test.each([
  ['{"id":7}', 7],
  ['{"type":"ping","id":7}', 7],
  [' {\n "type" : "publish" ,\t"topic":"a:b","id" : 7 , "data": [1', 7],
  ['{"n":-1.5e3,"ok":true,"none":null,"id":4294967295,"x":1}', 4294967295],
  [`{"type":"publish","data":"${'x'.repeat(1000)}","id":7}`, 7],
  [`{"type":"publish","data":{"id":8},"x":"${'x'.repeat(1000)}" , "id" : 7 }\n`, 7],
])('the id of %s is %i', (text, id) => {
  expect(peek(text)).toBe(id);
});

test.each([
  '',
  '{}',
  'null',
  '[{"id":7}]',
  '{"data":{"id":7}}',
  '{"data":{"id":7},"type":"ping"}',
  '{"data":[{"id":7}]}',
  '{"data":"\\",\\"id\\":7}"}',
  '{"a":"{","b":"\\"id\\":7}"}',
  '{"id":"7"}',
  '{"id":7.5}',
  '{"id":-7}',
  '{"id":4294967296}',
  '{"x\\"id":7}',
])('%s has no id', (text) => {
  expect(peek(text)).toBe(0);
});

test('an id that it finds is the one that decoding finds', () => {
  const command = fc.record(
    { id: fc.nat(), type: fc.constantFrom('ping', 'publish'), data: fc.json(), topic: fc.string() },
    { requiredKeys: ['type'] },
  );
  fc.assert(
    fc.property(
      command,
      fc.shuffledSubarray(['id', 'type', 'data', 'topic'], { minLength: 4 }),
      (fields, names) => {
        const members = names.flatMap((name) => {
          const value = fields[name as keyof typeof fields];
          if (value === undefined) return [];
          return [`${JSON.stringify(name)}:${name === 'data' ? String(value) : JSON.stringify(value)}`];
        });
        const id = peek(`{${members.join()}}`);
        expect([0, fields.id]).toContain(id);
      },
    ),
  );
});

test('in protobuf the id comes first, and a frame that is cut off there has none', () => {
  const { protobuf } = codecs;
  const message = protobuf.encodeClientFrame({ kind: 'ping', id: 300 });
  expect(protobuf.peekId(message)).toBe(300);
  expect(protobuf.peekId(message.subarray(0, 2))).toBe(0);
  expect(protobuf.peekId(new Uint8Array(0))).toBe(0);
});
