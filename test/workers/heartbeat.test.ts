import { expect, test } from 'vitest';
import { Heartbeat } from '../../src/workers/heartbeat.ts';

/** Of a process that answers only where `answer` is called. */
function asking(unansweredMax: number) {
  const questions: PromiseWithResolvers<void>[] = [];
  const ask = () => {
    const question = promiseWithResolvers();
    questions.push(question);
    return question.promise;
  };
  const heartbeat = new Heartbeat(ask, unansweredMax);
  const beats = (count: number) => Array.from({ length: count }, () => heartbeat.beat());
  return { beats, questions };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function promiseWithResolvers(): PromiseWithResolvers<void> {
  let resolve = (): void => undefined;
  let reject = (_: Error): void => undefined;
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}

test('a process that answers is asked again each time', async () => {
  const { beats, questions } = asking(3);
  for (let i = 1; i <= 10; i++) {
    expect(beats(1)).toEqual([true]);
    expect(questions).toHaveLength(i);
    questions[i - 1]?.resolve();
    await questions[i - 1]?.promise;
  }
});

test('one that does not answer is asked once, and silent after as many beats as it may be', () => {
  const { beats, questions } = asking(3);
  expect(beats(5)).toEqual([true, true, true, false, false]);
  expect(questions).toHaveLength(1);
});

test('a late answer counts, and one that failed does not', async () => {
  const { beats, questions } = asking(3);
  expect(beats(3)).toEqual([true, true, true]);
  questions[0]?.resolve();
  await questions[0]?.promise;
  expect(beats(3)).toEqual([true, true, true]);
  expect(questions).toHaveLength(2);
  questions[1]?.reject(new Error('gone'));
  await questions[1]?.promise.catch(() => undefined);
  expect(beats(1)).toEqual([false]);
});
