import { describe, expect, it } from 'vitest';
import type { PublishOptions, SubscribeOptions } from '../../src/client/index.ts';
import type { Filter } from '../../src/protocol/frames.ts';
import { harness, settled } from './support/fakes.ts';

const half = '\ud800';
const any = (value: unknown) => value as never;
const cyclic: { op: 'not'; filters: Filter[] } = { op: 'not', filters: [] };
cyclic.filters.push(cyclic);
let wide: Filter = { op: 'exists', tag: 'a' };
for (let i = 0; i < 60; i++) wide = { op: 'and', filters: [wide, wide] };

describe('a publish that can not be carried as it is', () => {
  const calls: [string, string, Parameters<ReturnType<typeof harness>['client']['publish']>][] = [
    ['no topic', 'invalid_topic', [any(undefined), 'x']],
    ['a topic that is no text', 'invalid_topic', [any(5), 'x']],
    ['an empty topic', 'invalid_topic', ['', 'x']],
    ['half a character in the topic', 'invalid_topic', [`t${half}`, 'x']],
    ['a topic that is too long', 'invalid_request', ['t'.repeat(1025), 'x']],
    ['no type', 'invalid_request', ['t', any(undefined)]],
    ['a type of other characters', 'invalid_type', ['t', 'a b']],
    ['a type that is too long', 'invalid_type', ['t', 'x'.repeat(65)]],
    ['the name of a control frame', 'invalid_type', ['t', 'batch']],
    ['data that JSON can not say', 'unsupported_value', ['t', 'x', new Map()]],
    ...(
      [
        ['a key that is a number', { key: any(5) }],
        ['half a character in the key', { key: half }],
        ['a key that is too long', { key: 'k'.repeat(1025) }],
        ['a messageId that is a number', { messageId: any(5) }],
        ['half a character in the messageId', { messageId: half }],
        ['a tag that is a number', { tags: any({ cpu: 90 }) }],
        ['a tag that is undefined', { tags: any({ a: undefined }) }],
        ['half a character in a tag', { tags: { a: half } }],
        ['half a character in the name of a tag', { tags: { [half]: 'a' } }],
        ['tags in a Map', { tags: any(new Map([['a', 'b']])) }],
        ['tags in an array', { tags: any(['a']) }],
        ['too many tags', { tags: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`t${i}`, ''])) }],
        ['a ttl that is none', { ttlMs: Number.NaN }],
        ['a fraction of a ttl', { ttlMs: 1.5 }],
        ['a point in time that is none', { timestampMs: any('now') }],
        ['a flag that is none', { removed: any('yes') }],
      ] satisfies [string, PublishOptions][]
    ).map(([name, options]): [string, string, [string, string, unknown, PublishOptions]] => [
      name,
      'invalid_request',
      ['t', 'x', 1, options],
    ]),
  ];

  it.each(calls)('rejects at the call, for %s', async (_, code, call) => {
    const offline = harness();
    await expect(offline.client.publish(...call)).rejects.toMatchObject({ name: 'ClientError', code });
    expect(offline.client.getStatus().queued).toBe(0);
    const online = harness();
    const socket = await online.arrive();
    await expect(online.client.publish(...call)).rejects.toMatchObject({ code });
    expect([socket.count('publish'), online.client.getStatus().state]).toEqual([0, 'connected']);
  });

  it('is what the application gave at the call, not what it makes of it later', async () => {
    const h = harness();
    const tags: Record<string, string> = { a: '1' };
    const data = { n: 1 };
    void h.client.publish('t', 'x', data, { tags }).catch(() => {});
    tags['a'] = any(undefined);
    data.n = 2;
    const socket = await h.arrive();
    expect(socket.command('publish')).toMatchObject({ tags: { a: '1' } });
    expect(new TextDecoder().decode(socket.command('publish').payload.bytes)).toBe('{"n":1}');
  });
});

describe('a subscribe that can not be carried as it is', () => {
  const filters: [string, unknown][] = [
    ['no object', 'a = 1'],
    ['no operator', {}],
    ['another operator', { op: 'like', tag: 'a', value: 'b' }],
    ['an inherited name for an operator', { op: 'constructor', tag: 'a' }],
    ['no tag', { op: 'exists' }],
    ['a tag that is undefined', { op: 'eq', tag: undefined, value: 'a' }],
    ['a value that is undefined', { op: 'eq', tag: 'a', value: undefined }],
    ['a value that is a number', { op: 'eq', tag: 'a', value: 5 }],
    ['half a character', { op: 'prefix', tag: 'a', value: half }],
    ['values that are no list', { op: 'in', tag: 'a', values: new Set(['a']) }],
    ['an undefined among values', { op: 'in', tag: 'a', values: ['a', undefined] }],
    ['a hole among values', { op: 'in', tag: 'a', values: new Array(1) }],
    ['a number that is text', { op: 'lt', tag: 'a', number: '5' }],
    ['NaN', { op: 'lt', tag: 'a', number: Number.NaN }],
    ['a part that is undefined', { op: 'and', filters: [undefined] }],
    ['an inner tag that is undefined', { op: 'not', filters: [{ op: 'exists', tag: undefined }] }],
    ['itself', cyclic],
    ['the same part again and again', wide],
  ];
  const calls: [string, string, unknown, SubscribeOptions][] = [
    ['no topic', 'invalid_topic', undefined, {}],
    ['a topic that is no text', 'invalid_topic', 5, {}],
    ['half a character in the topic', 'invalid_topic', half, {}],
    ['an interval that is none', 'invalid_request', 't', { intervalMs: Number.NaN }],
    ['a fraction of an interval', 'invalid_request', 't', { intervalMs: 1.5 }],
    ['a negative number of last ones', 'invalid_request', 't', { last: -1 }],
    ['a flag that is none', 'invalid_request', 't', { conflate: any('yes') }],
    ['a position without epoch', 'invalid_request', 't', { since: any({ epoch: 5, offset: 1 }) }],
    [
      'a position that is none, in a list',
      'invalid_request',
      't*',
      { since: any([{ topic: 't1', offset: Number.NaN }]) },
    ],
    ['a hole in a list of positions', 'invalid_request', 't*', { since: any([undefined]) }],
    ...filters.map(([name, filter]): [string, string, string, SubscribeOptions] => [
      `a filter with ${name}`,
      'invalid_filter',
      't',
      { filter: any(filter) },
    ]),
  ];

  it.each(calls)('throws at the call, and touches nothing else: %s', async (_, code, topic, options) => {
    const h = harness();
    const socket = await h.arrive();
    const good = h.client.subscribe('good');
    expect(() => h.client.subscribe(any(topic), options)).toThrow(
      expect.objectContaining({ name: 'ClientError', code }),
    );
    await settled();
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'good' }]);
    expect([good.state, h.client.getStatus().subscriptions]).toEqual(['pending', 1]);
  });

  it('is what the application gave at the call, not what it makes of it later', async () => {
    const h = harness();
    const values = ['a', 'b'];
    h.client.subscribe('t', { filter: { op: 'in', tag: 'k', values } });
    values.push(any(undefined));
    const socket = await h.arrive();
    expect(socket.command('subscribe').subscriptions).toMatchObject([
      { filter: { op: 'in', tag: 'k', values: ['a', 'b'] } },
    ]);
  });
});

describe('another command that can not be carried as it is', () => {
  it.each<[string, string, (client: ReturnType<typeof harness>['client']) => Promise<unknown>]>([
    ['history without topic', 'invalid_request', (client) => client.history(any(undefined))],
    ['history after no offset', 'invalid_request', (client) => client.history('t', { after: Number.NaN })],
    ['history of a fraction', 'invalid_request', (client) => client.history('t', { limit: 1.5 })],
    ['presence without topic', 'invalid_request', (client) => client.presence(any(undefined))],
    ['presence of half a character', 'invalid_request', (client) => client.presence(half)],
  ])('rejects at the call: %s', async (_, code, call) => {
    const h = harness();
    await h.arrive();
    await expect(call(h.client)).rejects.toMatchObject({ name: 'ClientError', code });
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('an invalid name of the client throws when the client is made', () => {
    expect(() => harness({ clientName: any(5) })).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });
});
