import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import type { AppendOutcome, AppendRequest } from '../../src/topics/engine.ts';
import { answered, fields, openBroker, summary } from './fixtures.ts';

// What the engine could not append …

/** Fails the first `failures` appends of each request's topic that is named `flaky`. */
class FlakyEngine extends MemoryEngine {
  calls: number[] = [];
  failures: number;

  constructor(failures: number) {
    super({ isState: () => false });
    this.failures = failures;
  }

  override async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    this.calls.push(requests.length);
    const outcomes: AppendOutcome[] = [];
    for (const request of requests) {
      if (request.fields.topic === 'flaky' && this.failures > 0) {
        this.failures--;
        outcomes.push({ ok: false, error: new SluiceError('engine_unavailable') });
      } else {
        outcomes.push(...(await super.append([request])));
      }
    }
    return outcomes;
  }
}

test('is given to the engine again, alone, and answered in its place', async () => {
  const engine = new FlakyEngine(2);
  const waits: number[] = [];
  const wait = async (delayMs: number) => void waits.push(delayMs);
  const { broker, counts } = await openBroker({ engine, wait });
  const outcomes = await broker.publish([fields('a'), fields('flaky'), fields('a')]);
  expect([summary(outcomes), engine.calls, waits, counts.of('engineRetriesTotal')]).toEqual([
    [1, 1, 2],
    [3, 1, 1],
    [50, 200],
    2,
  ]);
});

test('is refused after three more tries', async () => {
  const engine = new FlakyEngine(100);
  const { broker } = await openBroker({ engine });
  expect(summary(await broker.publish([fields('flaky')]))).toEqual(['engine_unavailable']);
  expect(engine.calls).toEqual([1, 1, 1, 1]);
});

test('is not overtaken by what comes later for its topic; other topics go on', async () => {
  const waits: (() => void)[] = [];
  const wait = () => new Promise<void>((resolve) => void waits.push(resolve));
  const { broker } = await openBroker({ engine: new FlakyEngine(1), wait });
  const first = broker.publish([fields('flaky')]);
  await answered();
  const others = [broker.publish([fields('flaky'), fields('a')]), broker.publish([fields('a')])];
  expect(summary(await broker.publish([fields('b')]))).toEqual([1]);
  expect([broker.find('a')?.ring.newest, broker.find('flaky')?.ring.newest]).toEqual([2, undefined]);
  for (const end of waits) end();
  expect((await Promise.all([first, ...others])).map(summary)).toEqual([[1], [2, 1], [2]]);
});

test('is not given to it again where a later one of the same call and topic was stored', async () => {
  const engine = new FlakyEngine(1);
  const { broker } = await openBroker({ engine });
  const outcomes = await broker.publish([fields('flaky'), fields('flaky')]);
  expect([summary(outcomes), engine.calls]).toEqual([['engine_unavailable', 1], [2]]);
});

/** Has its calls until they are done, or fail, in any order. */
class OpenEngine extends MemoryEngine {
  readonly pending: {
    readonly topics: string[];
    readonly done: () => void;
    readonly fail: (isCommitted?: boolean) => void;
  }[] = [];

  override append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const error = new SluiceError('engine_unavailable');
    return new Promise((resolve) => {
      this.pending.push({
        topics: requests.map(({ fields }) => fields.topic),
        done: () => resolve(super.append(requests)),
        fail: (isCommitted) => resolve(requests.map(() => ({ ok: false, error, isCommitted }))),
      });
    });
  }
}

/** Three calls of one topic that the engine has. */
async function threeCalls() {
  const engine = new OpenEngine({ isState: () => false });
  const { broker } = await openBroker({ engine, wait: answered });
  const calls = [['a', 'b'], ['a'], ['a', 'a']].map((topics) =>
    broker.publish(topics.map((topic) => fields(topic))),
  );
  const [first, second, third] = engine.pending;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three calls');
  const outcomes = async () => (await Promise.all(calls)).map(summary);
  const settle = async () => {
    for (let turn = 0; turn < 5; turn++) await answered();
  };
  return { first, second, third, outcomes, settle, given: () => engine.pending.slice(3) };
}

const lost = 'engine_unavailable';

test('is not given to it again while it has a later call of the topic, which overtakes it', async () => {
  const { first, second, third, outcomes, settle, given } = await threeCalls();
  first.fail();
  second.fail();
  await settle();
  // The retry of 'a' waits for the third call; that of 'b' does not.
  const [b, ...more] = given();
  expect([b?.topics, more]).toEqual([['b'], []]);
  b?.done();
  third.done();
  expect(await outcomes()).toEqual([[lost, 1], [lost], [1, 2]]);
  expect(given()).toHaveLength(1);
});

test('nor is what fails after a later call of the topic was stored', async () => {
  const { first, second, third, outcomes, settle, given } = await threeCalls();
  second.done();
  await settle();
  first.fail();
  third.done();
  await settle();
  given()[0]?.done();
  expect(await outcomes()).toEqual([[lost, 1], [1], [2, 3]]);
  expect(given().map(({ topics }) => topics)).toEqual([['b']]);
});

test('nor is what fails beside a later call that failed though it is committed, which is', async () => {
  const { first, second, third, outcomes, settle, given } = await threeCalls();
  first.fail();
  second.fail(true);
  third.fail();
  await settle();
  for (const each of given()) each.done();
  expect(await outcomes()).toEqual([[lost, 1], [1], [2, 3]]);
  expect(given().map(({ topics }) => topics.join(''))).toEqual(['aaa', 'b']);
});

test('is given to it again with all that failed of the topic, in the order of the calls', async () => {
  const { first, second, third, outcomes, settle, given } = await threeCalls();
  third.fail();
  await settle();
  second.fail();
  first.fail();
  await settle();
  for (const each of given()) each.done();
  expect(await outcomes()).toEqual([[1, 1], [2], [3, 4]]);
  expect(given().map(({ topics }) => topics.join(''))).toEqual(['aaaa', 'b']);
});
