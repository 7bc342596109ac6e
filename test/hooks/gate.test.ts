import { afterEach, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { HookFailure } from '../../src/hooks/failure.ts';
import { Gate } from '../../src/hooks/gate.ts';
import { HeldBytes } from '../../src/sessions/limits/charges.ts';
import type { Payer } from '../../src/topics/payer.ts';
import { RecordedMetrics } from '../support/metrics.ts';

const overheadBytes = 512;

const user = (name: string): Payer => ({ account: `user ${name}`, isVerified: true });
/** A session without a name. */
const session = (name: string, address: string): Payer => ({ account: name, isVerified: false, address });

interface GateOfTest {
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  readonly perPayer?: number;
  readonly monotonicMs?: () => number;
}

function makeGate(options: GateOfTest = {}) {
  const logged: unknown[] = [];
  const { concurrency = 1, timeoutMs = 60_000, perPayer = 1e9 } = options;
  const { monotonicMs = () => performance.now() } = options;
  const counts = new RecordedMetrics();
  const held = new HeldBytes({ perPayer, total: 1e9 });
  const gate = new Gate({
    hook: 'call',
    timeoutMs,
    concurrency,
    held,
    metrics: counts.metrics,
    monotonicMs,
    log: { warn: (fields: unknown) => logged.push(fields) },
  });
  /** The application answers when it is told to. */
  let answer: () => void = () => undefined;
  const answered = new Promise<string>((resolve) => {
    answer = () => resolve('yes');
  });
  const begun: string[] = [];
  const refusals: (string | undefined)[] = [];
  /** Asks, and returns the answers that came at once: refusals. */
  const ask = (from: string | Payer, bytes = 0) => {
    const payer = typeof from === 'string' ? user(from) : from;
    const asked = gate.ask(payer, bytes, () => {
      begun.push(payer.account);
      return answered;
    });
    void asked.then((outcome) => refusals.push(kindOf(outcome)));
    return asked;
  };
  return { gate, held, counts, logged, ask, answer: () => answer(), begun, refusals };
}

function kindOf(outcome: unknown): string | undefined {
  if (outcome instanceof SluiceError) return outcome.code;
  return outcome instanceof HookFailure ? outcome.kind : undefined;
}

describe('places of payers that ask at a slow application', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function startSlow(concurrency: number) {
    vi.useFakeTimers();
    const { gate } = makeGate({ concurrency, timeoutMs: 3000 });
    const begun: string[] = [];
    const ask = (payer: Payer, name: string) =>
      gate.ask(payer, 0, () => {
        begun.push(name);
        return new Promise((resolve) => setTimeout(resolve, 800, 'yes'));
      });
    return { gate, begun, ask };
  }

  test.each([
    [
      'sessions without a name at one address',
      (i: number) => session(`session ${i % 25}`, 'address 1'),
      250,
      64,
    ],
    ['a user', () => user('flood'), 32, 8],
  ])('a flood of %s: others get the next free places', async (_, from, count, concurrency) => {
    const { gate, begun, ask } = startSlow(concurrency);
    for (let i = 0; i < count; i++) void ask(from(i), `flood ${i}`);
    await vi.advanceTimersByTimeAsync(100);
    const others = [ask(user('a'), 'a 0'), ask(user('a'), 'a 1'), ask(session('b', 'address 2'), 'b 0')];
    expect(begun).toHaveLength(concurrency);
    await vi.advanceTimersByTimeAsync(700);
    expect(begun.slice(concurrency, concurrency + 4)).toEqual(['a 0', 'b 0', 'a 1', `flood ${concurrency}`]);
    await vi.advanceTimersByTimeAsync(800);
    expect(await Promise.all(others)).toEqual(['yes', 'yes', 'yes']);
    await vi.advanceTimersByTimeAsync(3000);
    expect(gate.size).toBe(0);
  });

  test('are as many for each that has more questions than places, in the order of its questions', async () => {
    const { gate, begun, ask } = startSlow(4);
    for (let i = 0; i < 8; i++) void ask(user('a'), `a ${i}`);
    for (let i = 0; i < 8; i++) void ask(user('b'), `b ${i}`);
    for (let i = 0; i < 3; i++) await vi.advanceTimersByTimeAsync(800);
    const rounds = [0, 4, 8, 12].map((from) => begun.slice(from, from + 4).sort());
    expect(rounds).toEqual([
      ['a 0', 'a 1', 'a 2', 'a 3'],
      ['a 4', 'a 5', 'b 0', 'b 1'],
      ['a 6', 'a 7', 'b 2', 'b 3'],
      ['b 4', 'b 5', 'b 6', 'b 7'],
    ]);
    await vi.advanceTimersByTimeAsync(800);
    expect(gate.size).toBe(0);
  });
});

describe('a gate', () => {
  test('counts each failure, and logs the first of each kind at once', () => {
    const { gate, counts, logged } = makeGate({ monotonicMs: () => 0 });
    for (const kind of ['timeout', 'timeout', 'status', 'timeout'] as const)
      gate.failed(new HookFailure(kind, 'no'));
    expect(counts.of('hookErrorsTotal', 'call', 'timeout')).toBe(3);
    expect(logged).toMatchObject([
      { hook: 'call', kind: 'timeout' },
      { hook: 'call', kind: 'status' },
    ]);
  });

  test('questions of one client: 32 are taken, and the next is refused until one is answered', async () => {
    const { ask, answer, refusals } = makeGate();
    const taken = Array.from({ length: 32 }, () => ask('a'));
    expect(kindOf(await ask('a'))).toBe('rate_limited');
    const other = ask('b');
    answer();
    await Promise.all([...taken, other]);
    await ask('a');
    expect(refusals.filter((each) => each !== undefined)).toEqual(['rate_limited']);
  });

  test('questions of many clients: as many as configured are asked at once, 1000 wait, and one more counts as a failure', async () => {
    const { gate, ask, answer, begun, counts } = makeGate({ concurrency: 3 });
    const taken = Array.from({ length: 1003 }, (_, i) => ask(`client ${i}`));
    expect([begun.length, gate.size]).toEqual([3, 1003]);
    expect(kindOf(await ask('late'))).toBe('overloaded');
    expect(counts.of('hookErrorsTotal', 'call', 'overloaded')).toBe(1);
    answer();
    expect((await Promise.all(taken)).every((outcome) => outcome === 'yes')).toBe(true);
    expect(gate.size).toBe(0);
  });

  test('questions of one address: 250 of its sessions without a name are taken, and others are not held up', async () => {
    const { gate, ask, answer } = makeGate();
    const from = (i: number) => session(`session ${i}`, 'address 1');
    const taken = Array.from({ length: 250 }, (_, i) => ask(from(i % 25)));
    expect(gate.size).toBe(250);
    expect(kindOf(await ask(from(25)))).toBe('rate_limited');
    expect(kindOf(await ask({ account: 'address 1', isVerified: false }))).toBe('rate_limited');
    const others = [ask(session('session 30', 'address 2')), ask('a')];
    answer();
    await Promise.all([...taken, ...others]);
    expect(await ask(from(25))).toBe('yes');
  });

  test('questions of those that ask all they can: none has more than may still wait, so that others find a place', async () => {
    const { gate, ask, answer } = makeGate();
    const taken = [ask('asked')];
    const counts: number[] = [];
    while (gate.size <= 1000) {
      const before = gate.size;
      const most = Math.min(32, Math.ceil((1001 - before) / 2));
      for (let i = 0; i < most; i++) taken.push(ask(`client ${counts.length}`));
      expect(kindOf(await ask(`client ${counts.length}`))).toBe('rate_limited');
      counts.push(gate.size - before);
    }
    expect(counts.slice(28)).toEqual([32, 32, 20, 10, 5, 3, 1, 1]);
    expect(kindOf(await ask('one more'))).toBe('overloaded');
    answer();
    expect((await Promise.all(taken)).every((outcome) => outcome === 'yes')).toBe(true);
  });

  test.each([
    [-1, true],
    [0, true],
    [1, false],
  ])(
    'bytes of questions: of one that is %i bytes over what its client may hold, taken is %j',
    async (over, isTaken) => {
      const { ask, answer, held } = makeGate({ perPayer: 2000 });
      const first = ask('a', 1000 - overheadBytes);
      const second = ask('a', 1000 - overheadBytes + over);
      const other = ask('b', 1000);
      answer();
      expect(kindOf(await second)).toBe(isTaken ? undefined : 'rate_limited');
      expect([await first, await other, held.total]).toEqual(['yes', 'yes', 0]);
    },
  );

  test.each([
    [-1, true],
    [0, true],
    [1, false],
  ])(
    'bytes held for a question while it is asked: of %i bytes over what its client may hold, taken is %j',
    async (over, isTaken) => {
      const { gate, held } = makeGate({ perPayer: 2000 });
      let reason: unknown;
      const asked = gate.ask(user('a'), 1000 - overheadBytes, async (signal, hold) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        hold(900);
        hold(-900);
        hold(1000 + over);
        return held.total;
      });
      const other = gate.ask(user('b'), 1000 - overheadBytes, async () => 'yes');
      const outcome = await asked;
      if (isTaken) expect([outcome, reason]).toEqual([2000 + over, undefined]);
      else expect([kindOf(outcome), reason]).toEqual(['rate_limited', outcome]);
      expect([await other, gate.size, held.total]).toEqual(['yes', 0, 0]);
    },
  );

  test('bytes held for a question that is over: are refused, and nothing is charged', async () => {
    const { gate, held } = makeGate({ timeoutMs: 20 });
    let late: (bytes: number) => void = () => undefined;
    const asked = gate.ask(user('a'), 0, (_, hold) => {
      late = hold;
      return new Promise(() => undefined);
    });
    expect(kindOf(await asked)).toBe('timeout');
    expect(() => late(1)).toThrow('no answer within 20 ms');
    expect(held.total).toBe(0);
  });

  test('time of a question: it fails without an answer, also in the queue, and nothing is held', async () => {
    const { ask, gate, held, begun } = makeGate({ timeoutMs: 20 });
    expect((await Promise.all([ask('a'), ask('b')])).map(kindOf)).toEqual(['timeout', 'timeout']);
    expect(begun[0]).toBe('user a');
    expect([gate.size, held.total]).toEqual([0, 0]);
    const quick = makeGate({ timeoutMs: 60_000 });
    const asked = quick.ask('a');
    quick.answer();
    expect(await asked).toBe('yes');
  });
});
