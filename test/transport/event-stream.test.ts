import { describe, expect, test } from 'vitest';
import { type EventNames, eventBytes } from '../../src/transport/event-stream.ts';

function textOf(frame: unknown, names: EventNames = 'message'): string {
  const json = typeof frame === 'string' ? frame : JSON.stringify(frame);
  const { before, event } = eventBytes(Buffer.from(json), names);
  return Buffer.concat([before, Buffer.from('<id>'), event]).toString();
}

describe('a frame as an event', () => {
  test('has no name where it carries publications, and its type where it is asked for', () => {
    const flat = '{"type":"stats.update:x-1_y","topic":"a","offset":1}';
    expect(textOf(flat)).toBe(`<id>data: ${flat}\n\n`);
    expect(textOf(flat, 'type')).toBe(`<id>event: stats.update:x-1_y\ndata: ${flat}\n\n`);
    for (const type of ['batch', 'snapshot']) {
      expect(textOf({ type })).toBe(`<id>data: {"type":"${type}"}\n\n`);
      expect(textOf({ type }, 'type')).toBe(`<id>event: ${type}\ndata: {"type":"${type}"}\n\n`);
    }
  });

  test.each(['reset', 'lagging', 'joined', 'left', 'unsubscribed', 'error'])(
    'is named %s by its type however events are named',
    (type) => {
      for (const names of ['message', 'type'] as const)
        expect(textOf({ type }, names)).toBe(`<id>event: ${type}\ndata: {"type":"${type}"}\n\n`);
    },
  );

  test.each(['gap', 'expired', 'open'])('has no name where its publication has the type %s', (type) => {
    const flat = `{"type":"${type}","topic":"a","offset":1}`;
    expect(textOf(flat, 'type')).toBe(`<id>data: ${flat}\n\n`);
  });

  test('has a line of data for each line of its payload, whatever ends them', () => {
    expect(textOf('{"type":"e","data":[1,\n2,\r\n3,\r4,\n\n5]}')).toBe(
      '<id>data: {"type":"e","data":[1,\ndata: 2,\ndata: 3,\ndata: 4,\ndata: \ndata: 5]}\n\n',
    );
  });

  test('is a gap where something was not recovered', () => {
    const gap = { type: 'caughtUp', topic: 'a', recovered: false, missing: { after: 1, upto: 5 } };
    expect(textOf(gap)).toBe(`<id>event: gap\ndata: ${JSON.stringify(gap)}\n\n`);
    expect(textOf({ ...gap, recovered: true })).toContain('event: caughtUp');
  });

  test('of results is followed by a gap for each that misses something; the last event has the id', () => {
    const lost = (topic: string) => ({ topic, view: 1, epoch: 'e', offset: 5, recovered: false });
    const frame = { type: 'subscribed', results: [{ topic: 'x', recovered: true }, lost('a'), lost('b')] };
    const gap = (topic: string) =>
      `event: gap\ndata: {"type":"caughtUp","view":1,"topic":"${topic}","epoch":"e","offset":5,"recovered":false}\n\n`;
    expect(textOf(frame)).toBe(
      `event: subscribed\ndata: ${JSON.stringify(frame)}\n\n${gap('a')}<id>${gap('b')}`,
    );
  });

  test('that says goodbye says when to come back', () => {
    const frame = { type: 'goingAway', reconnectDelayMs: 1234, reason: 'going_away' };
    expect(textOf(frame)).toBe(`retry: 1234\n<id>event: goingAway\ndata: ${JSON.stringify(frame)}\n\n`);
    expect(textOf({ ...frame, reconnectDelayMs: 0, reason: 'unauthorized' })).toMatch(
      /^<id>event: expired\n/,
    );
    expect(textOf({ ...frame, reason: 'disconnected' })).toMatch(/^retry: 86400000\n/);
  });
});
