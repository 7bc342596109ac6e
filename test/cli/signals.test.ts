import { describe, expect, test } from 'vitest';
import { untilSignalled } from '../../src/cli/signals.ts';

function world() {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  let nowMs = 50;
  const asked = untilSignalled({
    on: (signal, listener) => listeners.set(signal, listener),
    nowMs: () => nowMs,
    exit: (code) => exits.push(code),
  });
  const send = (signal: string, laterMs: number) => {
    nowMs += laterMs;
    listeners.get(signal)?.();
  };
  return { asked, exits, send };
}

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM'])('%s is a request to end', async (signal) => {
    const { asked, exits, send } = world();
    send(signal, 0);
    expect([await asked, exits]).toEqual([signal, []]);
  });

  test('the same request may come twice, as npm passes on what the process group has had', async () => {
    const { asked, exits, send } = world();
    send('SIGINT', 0);
    send('SIGINT', 0);
    send('SIGTERM', 999);
    expect([await asked, exits]).toEqual(['SIGINT', []]);
  });

  test('a second request ends the process at once', () => {
    const { exits, send } = world();
    send('SIGTERM', 0);
    send('SIGINT', 1000);
    expect(exits).toEqual([1]);
  });
});
