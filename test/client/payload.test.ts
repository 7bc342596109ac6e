import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { payloadOf, readPayload } from '../../src/client/payload.ts';
import { ReceivedPublication } from '../../src/client/publication.ts';
import { publication } from './support/fakes.ts';

const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
const foreign = (code: string): unknown => runInNewContext(code);

const thrown = (value: unknown): never => {
  throw value;
};

class Point {
  x = 1;
}
class Hidden {
  #secret = 1;
  get secret(): number {
    return this.#secret;
  }
}

describe('bytes', () => {
  const shared = new SharedArrayBuffer(3);
  new Uint8Array(shared).set([1, 2, 3]);
  it.each<[string, unknown, number[]]>([
    ['a Uint8Array', bytes, [0, 1, 2, 3, 4, 5, 6, 7]],
    ['a part of one', bytes.subarray(2, 4), [2, 3]],
    ['a Buffer', Buffer.from([1, 2]), [1, 2]],
    ['an ArrayBuffer', bytes.buffer.slice(1, 3), [1, 2]],
    ['a SharedArrayBuffer', shared, [1, 2, 3]],
    ['a view on a SharedArrayBuffer', new Uint8Array(shared, 1), [2, 3]],
    ['a DataView of a part', new DataView(bytes.buffer, 3, 2), [3, 4]],
    ['another typed array, of a part', new Uint16Array(bytes.buffer, 2, 1), [2, 3]],
    ['an empty one', new ArrayBuffer(0), []],
    ['an ArrayBuffer of another realm', foreign('new Uint8Array([1, 2]).buffer'), [1, 2]],
    ['a view of another realm', foreign('new Uint8Array([1, 2, 3]).subarray(1)'), [2, 3]],
  ])('of %s go as they are', (_, data, expected) => {
    const payload = payloadOf(data);
    expect([payload.format, [...payload.bytes]]).toEqual(['binary', expected]);
  });

  it('that are no UTF-8 can be read as text, with U+FFFD', () => {
    const payload = { format: 'binary', bytes: Uint8Array.of(0xff, 0x41) } as const;
    expect(new ReceivedPublication('t', { ...publication(1), payload }).text).toBe('\ufffdA');
  });

  it('are copied at the call', () => {
    const data = new Uint8Array([1]);
    const payload = payloadOf(data);
    data[0] = 9;
    expect([...payload.bytes]).toEqual([1]);
  });

  it('of a detached buffer are not sent as none', () => {
    const buffer = new ArrayBuffer(4);
    const view = new Uint8Array(buffer);
    structuredClone(buffer, { transfer: [buffer] });
    for (const data of [buffer, view]) {
      expect(() => payloadOf(data)).toThrow(expect.objectContaining({ code: 'unsupported_value' }));
    }
  });

  it('that were received are copied at each use', () => {
    const message = new Uint8Array([7, 7, 1, 2, 7]);
    const payload = { format: 'binary', bytes: message.subarray(2, 4) } as const;
    const received = new ReceivedPublication<Uint8Array>('t', { ...publication(1), payload });
    received.data[0] = 9;
    received.bytes[1] = 9;
    (readPayload(payload) as Uint8Array)[0] = 9;
    expect([...received.data, ...received.bytes, ...message]).toEqual([1, 2, 1, 2, 7, 7, 1, 2, 7]);
  });
});

describe('values that JSON can say', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'null'],
    ['null', null, 'null'],
    ['plain data', { a: [1, 'x', true, null, { b: {} }] }, '{"a":[1,"x",true,null,{"b":{}}]}'],
    ['members that are undefined are absent', { a: undefined, b: 1 }, '{"b":1}'],
    ['a Date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['what says itself how', { toJSON: () => [1] }, '[1]'],
    ['boxes', [Object(1), Object('x'), Object(false)], '[1,"x",false]'],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['an object of another realm', foreign('({ a: [1] })'), '{"a":[1]}'],
    ['the members of an instance', new Point(), '{"x":1}'],
    ['a member named __proto__', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ])('%s', (_, data, expected) => {
    const payload = payloadOf(data);
    expect([payload.format, new TextDecoder().decode(payload.bytes)]).toEqual(['json', expected]);
  });
});

describe('values that JSON would change', () => {
  const loop: unknown[] = [];
  loop.push(loop);
  const deep = Array.from({ length: 100_000 }).reduce((inner: unknown) => [inner], 0);
  const values: [string, unknown][] = [
    ['a Map', new Map([[1, 2]])],
    ['a Map of another realm', foreign('new Map()')],
    ['a Set', new Set([1])],
    ['a WeakMap', new WeakMap()],
    ['a Blob', new Blob(['x'])],
    ['an Error', new Error('x')],
    ['a RegExp', /x/],
    ['a Promise', Promise.resolve(1)],
    ['a BigInt', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['NaN', Number.NaN],
    ['a box of NaN', Object(Number.NaN)],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['an invalid Date', new Date(Number.NaN)],
    ['an instance without members of its own', new Hidden()],
    ['bytes within a proxy', new Proxy(new Uint8Array(3), {})],
    ['a cycle', loop],
    ['something too deep', deep],
  ];
  it.each(values)('%s', (_, data) => {
    for (const value of [data, { inner: data }, [data]]) {
      expect(() => payloadOf(value)).toThrow(expect.objectContaining({ code: 'unsupported_value' }));
    }
  });

  it.each<[string, unknown]>([
    ['undefined in an array', [undefined]],
    ['a hole in an array', new Array(1)],
    ['a member named by a symbol', { [Symbol('x')]: 1 }],
    ['bytes inside of other data', { image: bytes }],
    ['a buffer inside of other data', [new ArrayBuffer(1)]],
    ['a Buffer inside of other data', { image: Buffer.from('x') }],
    ['a toJSON that has nothing to say', { toJSON: () => undefined }],
    ['a toJSON that throws what has no text', { toJSON: () => thrown(Object.create(null)) }],
  ])('%s', (_, data) => {
    expect(() => payloadOf(data)).toThrow(expect.objectContaining({ code: 'unsupported_value' }));
  });
});
