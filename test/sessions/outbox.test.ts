import { describe, expect, test } from 'vitest';
import { Outbox, waitingMaxBytes, waitingMessagesMax } from '../../src/sessions/outbox.ts';

describe('an outbox', () => {
  test('takes 100 messages, and no more', () => {
    const outbox = new Outbox();
    for (let i = 0; i < waitingMessagesMax; i++) expect(outbox.add(new Uint8Array(10))).toBe(true);
    expect(outbox.add(new Uint8Array(0))).toBe(false);
  });

  test('takes 256 KiB, and no more', () => {
    const outbox = new Outbox();
    expect(outbox.add(new Uint8Array(waitingMaxBytes - 1))).toBe(true);
    expect(outbox.add(new Uint8Array(1))).toBe(true);
    expect(outbox.bytes).toBe(waitingMaxBytes);
    expect(outbox.add(new Uint8Array(1))).toBe(false);
  });

  test('takes one message of any size', () => {
    expect(new Outbox().add(new Uint8Array(waitingMaxBytes * 2))).toBe(true);
  });

  test('is emptied in its order, as far as the connection takes it', () => {
    const outbox = new Outbox();
    for (const byte of [1, 2, 3]) outbox.add(Uint8Array.of(byte));
    const sent: number[] = [];
    const takes = (most: number) => (message: Uint8Array) => {
      if (sent.length >= most) return false;
      sent.push(message[0] as number);
      return true;
    };
    expect([outbox.flush(takes(0)), outbox.bytes]).toEqual([false, 3]);
    expect([outbox.flush(takes(2)), outbox.bytes, outbox.isEmpty]).toEqual([true, 1, false]);
    expect([outbox.flush(takes(9)), outbox.bytes, outbox.isEmpty]).toEqual([true, 0, true]);
    expect(sent).toEqual([1, 2, 3]);
  });
});
