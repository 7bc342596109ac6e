import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { answeredBy, BusLine } from '../../src/server/bus-line.ts';
import type { BusListener } from '../../src/topics/engine.ts';

let bus: BusListener;
let line: BusLine;
const sent: Record<string, unknown>[] = [];
const logged: unknown[] = [];
const told: unknown[] = [];

beforeEach(() => {
  for (const list of [sent, logged, told]) list.length = 0;
  const node = 'here';
  line = new BusLine(
    {
      node,
      listen: (listener) => {
        bus = listener;
      },
      send: (text) => sent.push(JSON.parse(text)) > 0,
    },
    { warn: (line: unknown) => logged.push(line) },
  );
  const handlers = {
    note: (body: { readonly items: readonly string[] }) => void told.push(...body.items),
    count: (body: number) => body + 1,
    list: async ({ limit }: { readonly limit: number }) => Array(limit),
  };
  line.listen({
    ...answeredBy(handlers),
    gone: (name) => told.push(`gone ${name}`),
    came: () => told.push('came'),
  });
  bus.nodes(['there']);
  told.length = 0;
});

const hear = (message: unknown) => bus.message(JSON.stringify(message), 'there');

test('a message says the version of the protocol', async () => {
  line.tell('note', { items: [] });
  expect(sent).toEqual([{ kind: 'tell', name: 'note', body: { items: [] }, version: 1 }]);
});

test('messages of this version, or without one, are read, whatever else they hold', async () => {
  hear({ kind: 'tell', name: 'note', body: { items: ['a'], more: 1 }, by: '2', more: 1 });
  hear({ kind: 'tell', name: 'note', body: { items: ['b'] }, version: 1 });
  hear({ kind: 'gone', by: '2', version: 1 });
  expect([told, logged]).toEqual([['a', 'b', 'gone there/2'], []]);
});

test('what is undefined arrives so, and no text is taken for it', () => {
  const items = [undefined, null, '$undefined', '$$undefined', 'undefined', ''];
  line.tell('note', { items });
  hear(sent[0]);
  expect(told).toEqual(items);
});

test('messages of a newer version or an unknown kind are ignored, and logged once each', async () => {
  for (let times = 0; times < 2; times++) {
    hear({ kind: 'tell', name: 'note', body: { items: ['a'] }, version: 2 });
    hear({ kind: 'shout', name: 'note' });
    hear({ kind: 'tell', name: 'toString', body: 1 });
    hear({ kind: 'tell', name: 'note', body: { things: ['a'] } });
    hear({ kind: 'tell', name: 'list', body: null });
    hear(null);
    bus.message('not JSON', 'there');
  }
  expect(told).toEqual([]);
  const whats = () => logged.map((line) => (line as { readonly what: string }).what.replace(/(?<=:).*/, ''));
  await expect.poll(whats).toEqual(['version 2', 'kind shout', 'name toString', 'note:', 'no JSON', 'list:']);
});

test('when other machines come or have forgotten this one, the listener is told so', () => {
  bus.nodes(['there', 'elsewhere']);
  bus.nodes(['there', 'elsewhere']);
  expect(told).toEqual(['came']);
  bus.returned();
  expect(told).toEqual(['came', 'came']);
});

test('an unknown question gets an empty reply, so that its asker need not wait', async () => {
  hear({ kind: 'ask', id: 1, name: 'count', body: 1 });
  hear({ kind: 'ask', id: 2, name: 'other', body: 1 });
  await expect.poll(() => sent.length).toBe(2);
  const replies = sent.map(({ id, replies }) => [id, replies]).toSorted();
  expect(replies).toEqual([
    [1, [2]],
    [2, []],
  ]);
  expect(logged).toEqual([{ from: 'there', what: 'name other' }]);
});

test('a question gets the replies of all machines, each once, and those to others are not taken', async () => {
  bus.nodes(['there', 'elsewhere']);
  const replies = line.ask('count', 1);
  const [{ id }] = sent as [{ id: number }];
  const reply = { kind: 'reply', id, to: 'here', replies: [2] };
  hear({ ...reply, to: 'another' });
  hear({ ...reply, id: id + 1 });
  hear(reply);
  hear(reply);
  bus.message(JSON.stringify({ ...reply, replies: [3] }), 'elsewhere');
  expect(await replies).toEqual([2, 3]);
});

test('a question waits neither for a machine that goes nor, for longer than a second, for one that is silent', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  bus.nodes(['there', 'elsewhere']);
  const first = line.ask('count', 1);
  bus.message(JSON.stringify({ kind: 'reply', id: 1, to: 'here', replies: [2] }), 'elsewhere');
  bus.nodes(['elsewhere']);
  expect(await first).toEqual([2]);
  expect(vi.getTimerCount()).toBe(0);
  let second: unknown;
  void line.ask('count', 1).then((replies) => {
    second = replies;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(second).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(second).toEqual([]);
});
