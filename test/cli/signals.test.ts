import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { untilSignalled, whileLoading } from '../../src/cli/signals.ts';

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

describe('a signal while the process loads its code', () => {
  function loading() {
    const events = new EventEmitter();
    const calls: unknown[] = [];
    const stop = whileLoading({
      pid: 7,
      on: (signal, listener) => events.on(signal, listener),
      off: (signal, listener) => events.off(signal, listener),
      kill: (pid, signal) => calls.push([pid, signal, events.listenerCount(signal)]),
      exit: (code) => calls.push(code),
    });
    return { events, calls, stop };
  }

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('%s ends it by that signal, or by an exit where the kernel drops it', (signal, exitCode) => {
    const { events, calls } = loading();
    events.emit(signal, signal);
    expect(calls).toEqual([[7, signal, 0], exitCode]);
  });

  test('is for others to hear once it is loaded', () => {
    const { events, stop } = loading();
    stop();
    expect(events.eventNames()).toEqual([]);
  });
});
