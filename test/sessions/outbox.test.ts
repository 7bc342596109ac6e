import { describe, expect, test } from 'vitest';
import { Outbox, waitingMaxBytes, waitingMessagesMax } from '../../src/sessions/outbox.ts';
import { FakeSink } from '../fanout/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { FakeConnection } from './fixtures.ts';

/** An outbox whose connection takes messages until `limit` of them are buffered. */
function makeOutbox() {
  const connection = new FakeConnection(codecs.json, new FakeSink(() => 0), 0);
  connection.stalled = true;
  connection.buffered = 1;
  const outbox = new Outbox({ connection, roomBytes: 1, session: connection });
  /** The client reads; the buffer then takes one message. */
  const read = () => {
    connection.buffered = 0;
  };
  return { connection, outbox, read };
}

describe('an outbox whose connection is full', () => {
  test('takes 100 messages, and no more', () => {
    const { connection, outbox } = makeOutbox();
    for (let i = 0; i < waitingMessagesMax; i++) outbox.send(new Uint8Array(10));
    expect(connection.endedWith).toBeUndefined();
    outbox.send(new Uint8Array(1));
    expect(connection.endedWith).toBe('terminated');
  });

  test('takes 256 KiB, and no more', () => {
    const { connection, outbox } = makeOutbox();
    outbox.send(new Uint8Array(waitingMaxBytes - 1));
    outbox.send(new Uint8Array(1));
    expect([connection.endedWith, outbox.unsentBytes]).toEqual([undefined, waitingMaxBytes + 1]);
    outbox.send(new Uint8Array(1));
    expect(connection.endedWith).toBe('terminated');
  });

  test('takes one message of any size', () => {
    const { connection, outbox } = makeOutbox();
    outbox.send(new Uint8Array(waitingMaxBytes * 2));
    expect(connection.endedWith).toBeUndefined();
  });

  test('is drained in its order, as far as the connection takes it', () => {
    const { connection, outbox, read } = makeOutbox();
    for (const byte of [1, 2, 3]) outbox.send(Uint8Array.of(byte));
    const sent = () => connection.messages.map(([byte]) => byte);
    expect([outbox.drain(), sent()]).toEqual([false, []]);
    read();
    expect([outbox.drain(), sent(), outbox.unsentBytes]).toEqual([false, [1], 1 + 2]);
    connection.stalled = false;
    expect([outbox.drain(), sent(), outbox.isWaiting]).toEqual([true, [1, 2, 3], false]);
  });

  test('sends no later message before an earlier one, though there is room again', () => {
    const { connection, outbox, read } = makeOutbox();
    outbox.send(Uint8Array.of(1));
    read();
    outbox.send(Uint8Array.of(2));
    expect([connection.messages, outbox.hasRoom()]).toEqual([[], false]);
  });

  test('knows since when nothing was read', () => {
    const { outbox, connection } = makeOutbox();
    connection.buffered = 5;
    expect([outbox.stuckSinceMs(10), outbox.stuckSinceMs(20)]).toEqual([10, 10]);
    connection.buffered = 4;
    expect([outbox.stuckSinceMs(30), outbox.stuckSinceMs(40)]).toEqual([30, 30]);
    outbox.progressed();
    expect(outbox.stuckSinceMs(50)).toBe(50);
  });

  test('sends nothing after its end, and holds nothing', () => {
    const { outbox, connection } = makeOutbox();
    outbox.send(Uint8Array.of(1));
    outbox.close();
    connection.stalled = false;
    outbox.send(Uint8Array.of(2));
    expect([outbox.drain(), connection.messages, outbox.unsentBytes, outbox.hasRoom()]).toEqual([
      true,
      [],
      0,
      false,
    ]);
  });
});
