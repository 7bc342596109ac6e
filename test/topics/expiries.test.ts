import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Expiries, type Expiry } from '../../src/topics/expiries.ts';

function expiry(atMs: number, offset = 1): Expiry {
  return { atMs, offset, key: `k${offset}` };
}

test('nothing is due before its time', () => {
  const expiries = new Expiries();
  expiries.add(expiry(100));
  expect(expiries.takeDue(99)).toBeUndefined();
  expect(expiries.takeDue(100)).toEqual(expiry(100));
  expect([expiries.takeDue(100), expiries.size]).toEqual([undefined, 0]);
});

test('what is not wanted any more is dropped', () => {
  const expiries = new Expiries();
  for (let offset = 1; offset <= 10; offset++) expiries.add(expiry(100 - offset, offset));
  expiries.retain(({ offset }) => offset % 5 === 0);
  expect([expiries.size, expiries.takeDue(100)?.offset, expiries.takeDue(100)?.offset]).toEqual([2, 10, 5]);
});

test('clearing leaves nothing', () => {
  const expiries = new Expiries();
  expiries.add(expiry(1));
  expiries.clear();
  expect([expiries.size, expiries.takeDue(1)]).toEqual([0, undefined]);
});

test('whatever is added, taken and retained, the soonest come first', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('add' as const), atMs: fc.nat(50) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), atMs: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('retain' as const), atMs: fc.nat(50) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const expiries = new Expiries();
      let model: number[] = [];
      for (const { do: what, atMs } of steps) {
        if (what === 'add') {
          expiries.add(expiry(atMs));
          model.push(atMs);
          model.sort((a, b) => a - b);
        } else if (what === 'take') {
          const due = (model[0] ?? Number.POSITIVE_INFINITY) <= atMs ? model.shift() : undefined;
          expect(expiries.takeDue(atMs)?.atMs).toBe(due);
        } else {
          expiries.retain((each) => each.atMs >= atMs);
          model = model.filter((each) => each >= atMs);
        }
        expect(expiries.size).toBe(model.length);
      }
      for (const atMs of model) expect(expiries.takeDue(1000)?.atMs).toBe(atMs);
    }),
  );
});
