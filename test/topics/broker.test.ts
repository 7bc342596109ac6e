import { describe, expect, test } from 'vitest';
import { whenDone } from '../../src/awaitable.ts';
import { FakeClock, fields, json, openBroker, publishOne, summary } from './fixtures.ts';

describe('publishing', () => {
  test('returns an outcome for each in order, faults among them', async () => {
    const { broker, counts } = await openBroker();
    const outcomes = await broker.publish([
      fields('a'),
      fields('not a topic'),
      fields('a'),
      fields('b', { type: '' }),
      fields('b'),
    ]);
    expect(summary(outcomes)).toEqual([1, 'invalid_topic', 2, 'invalid_type', 1]);
    expect([counts.of('publicationsTotal'), counts.of('publishErrorsTotal', 'invalid_topic')]).toEqual([
      3, 1,
    ]);
  });

  test('publishing nothing returns nothing and calls no engine', async () => {
    const { broker, counts } = await openBroker();
    expect(await broker.publish([])).toEqual([]);
    expect(counts.values('engineAppendSeconds')).toEqual([]);
  });

  test('tells the listener before the publisher has the outcome', async () => {
    const { broker, listener } = await openBroker();
    const published = whenDone(broker.publish([fields('a'), fields('b')]), () => listener.heard.length);
    expect(await published).toBe(2);
  });

  test('fills in the clock where the publisher gave no timestamp', async () => {
    const { broker, listener, clock } = await openBroker();
    await broker.publish([fields('a'), fields('a', { timestampMs: 5 })]);
    expect(listener.publications.map(({ timestampMs }) => timestampMs)).toEqual([clock.nowMs, 5]);
  });

  test.each([5, 9_000_000_000_000])(
    'TTLs and ages do not follow the publisher’s timestamp, %i',
    async (timestampMs) => {
      const { broker, clock } = await openBroker({ topic: { maxAgeMs: 200 } });
      await broker.publish([fields('a', { timestampMs, ttlMs: 100 }), fields('a', { timestampMs })]);
      const offsets = async () => (await broker.history('a', 0, 10)).publications.map(({ offset }) => offset);
      clock.advance(99);
      expect(await offsets()).toEqual([1, 2]);
      clock.advance(1);
      expect(await offsets()).toEqual([2]);
      clock.advance(100);
      expect(await offsets()).toEqual([2]);
      clock.advance(1);
      expect(await offsets()).toEqual([]);
    },
  );

  test('the topic was last published to when it was, not when the publisher says', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('a', { timestampMs: 5 })]);
    expect(broker.find('a')?.lastPublishedAtMs).toBe(clock.nowMs);
  });

  test('fills in the TTL of the namespace where the publisher gave none', async () => {
    const { broker, listener, clock } = await openBroker({ topic: { ttlMs: 100 } });
    await broker.publish([fields('a'), fields('a', { ttlMs: 7 })]);
    expect(listener.publications.map(({ expiresAtMs }) => expiresAtMs - clock.nowMs)).toEqual([100, 7]);
  });

  test('returns the first position for duplicates, and counts them', async () => {
    const { broker, counts, listener } = await openBroker();
    await publishOne(broker, fields('a', { messageId: 'm' }));
    const again = await publishOne(broker, fields('a', { messageId: 'm' }));
    expect(again).toMatchObject({ ok: true, offset: 1, duplicate: true });
    expect([counts.of('publishDuplicatesTotal'), listener.publications.length]).toEqual([1, 1]);
  });
});

describe('history', () => {
  async function filled() {
    const opened = await openBroker({ topic: { maxPublications: 5 } });
    await opened.broker.publish(Array.from({ length: 8 }, () => fields('a')));
    return opened;
  }

  test.each([
    [undefined, 10, { after: 3, upto: 8, more: false, missing: undefined }],
    [undefined, 2, { after: 3, upto: 5, more: true, missing: undefined }],
    [3, 5, { after: 3, upto: 8, more: false, missing: undefined }],
    [2, 2, { after: 3, upto: 5, more: true, missing: { after: 2, upto: 3 } }],
    [0, 100, { after: 3, upto: 8, more: false, missing: { after: 0, upto: 3 } }],
    [6, 1, { after: 6, upto: 7, more: true, missing: undefined }],
    [8, 10, { after: 8, upto: 8, more: false, missing: undefined }],
    [99, 10, { after: 8, upto: 8, more: false, missing: undefined }],
  ])('after %s, at most %i', async (after, limit, page) => {
    const { broker } = await filled();
    const { publications, epoch, ...rest } = await broker.history('a', after, limit);
    expect(rest).toEqual(page);
    expect(epoch).toBe(broker.find('a')?.epoch);
    expect(publications.map(({ offset }) => offset)).toEqual(
      Array.from({ length: page.upto - page.after }, (_, i) => page.after + 1 + i),
    );
  });

  test.each([
    [1, 1],
    [19, 2],
    [20, 2],
    [21, 3],
  ])('ends with the publication that makes it %i bytes large', async (maxBytes, count) => {
    const { broker } = await openBroker();
    await broker.publish(Array.from({ length: 4 }, () => fields('a', { payload: json('x'.repeat(8)) })));
    const page = await broker.history('a', 0, 10, maxBytes);
    expect([page.publications.length, page.upto, page.more]).toEqual([count, count, true]);
    expect(await broker.history('a', page.upto, 10)).toMatchObject({ after: count, upto: 4, more: false });
  });

  test('leaves out what has expired, and still covers it', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('a', { ttlMs: 10 }), fields('a')]);
    clock.advance(10);
    const page = await broker.history('a', 0, 10);
    expect([page.publications.map(({ offset }) => offset), page.upto]).toEqual([[2], 2]);
  });

  test('an unknown topic has the epoch "" and offset 0, and asking stores nothing', async () => {
    const { broker } = await openBroker();
    expect(await broker.history('unknown', 5, 10)).toMatchObject({
      epoch: '',
      after: 0,
      upto: 0,
      more: false,
    });
    expect([broker.find('unknown'), broker.size]).toEqual([undefined, 0]);
  });

  test.each([
    [undefined, undefined],
    [0, { after: 0, upto: 3 }],
    [2, { after: 2, upto: 3 }],
    [3, undefined],
    [4, undefined],
  ])('of a topic whose content is gone, after %s, names what is gone', async (after, missing) => {
    const { broker, clock } = await openBroker({ topic: { maxAgeMs: 100 } });
    await broker.publish([fields('a'), fields('a'), fields('a')]);
    const epoch = broker.find('a')?.epoch;
    clock.advance(101);
    const held = await broker.history('a', after, 10);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
    expect(await broker.history('a', after, 10)).toEqual(held);
    expect(held).toEqual({ epoch, after: 3, upto: 3, more: false, missing, publications: [] });
    expect([broker.find('a'), broker.size]).toEqual([undefined, 0]);
  });

  test('a topic that is only subscribed to has the epoch "" too', async () => {
    const { broker } = await openBroker();
    broker.retain('a');
    expect(await broker.history('a', undefined, 10)).toMatchObject({ epoch: '', upto: 0 });
    expect([...broker.topics()]).toEqual([]);
  });
});

test('readers are told the time of the wall clock, ages count on a clock that does not jump', async () => {
  const wall = new FakeClock(5_000_000);
  const { broker, clock } = await openBroker({ topic: { maxAgeMs: 1000 }, wallMs: wall.read });
  await broker.publish([fields('a'), fields('b', { timestampMs: 7 })]);
  const [published] = broker.find('a')?.ring.slice(0) ?? [];
  expect([published?.timestampMs, published?.publishedAtMs]).toEqual([5_000_000, clock.nowMs]);
  expect(broker.find('b')?.ring.slice(0)[0]?.timestampMs).toBe(7);
  wall.advance(3_600_000);
  broker.sweep();
  expect(broker.find('a')?.ring.count).toBe(1);
  expect([broker.wallMs(), broker.nowMs()]).toEqual([8_600_000, clock.nowMs]);
  clock.advance(1000);
  expect(broker.toWallMs(clock.nowMs - 1000)).toBe(8_599_000);
  clock.advance(1);
  broker.sweep();
  expect(broker.find('a')?.ring.count ?? 0).toBe(0);
});
