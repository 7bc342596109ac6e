import { expect, it } from 'vitest';
import { Unsent } from '../../../src/engines/replica/unsent.ts';
import { loadedAnew, outlivingShare } from '../../support/memory.ts';

const position = { epoch: 'e', offset: 1 };

it('gives the newest value of each to one batch', () => {
  const unsent = new Unsent();
  unsent.acknowledge({ topic: 't', user: 'u', position });
  unsent.acknowledge({ topic: 't', user: 'u', position: { epoch: 'e', offset: 2 } });
  unsent.unacknowledge('t', 'v');
  unsent.forget({ topic: 'f', position });
  expect(unsent.take()).toEqual({
    forgets: [{ topic: 'f', position }],
    acknowledged: [{ topic: 't', user: 'u', position: { epoch: 'e', offset: 2 } }],
    unacknowledged: [{ topic: 't', user: 'v' }],
  });
  expect([unsent.has, unsent.take()]).toEqual([false, { forgets: [], acknowledged: [], unacknowledged: [] }]);
});

it('has what failed again, unless there is a newer value', () => {
  const unsent = new Unsent();
  unsent.acknowledge({ topic: 't', user: 'u', position });
  unsent.acknowledge({ topic: 't', user: 'v', position });
  unsent.putBack(unsent.take());
  expect(unsent.has).toBe(false);
  unsent.unacknowledge('t', 'u');
  unsent.again();
  expect(unsent.take()).toEqual({
    forgets: [],
    acknowledged: [{ topic: 't', user: 'v', position }],
    unacknowledged: [{ topic: 't', user: 'u' }],
  });
});

it('leaves nothing of empty batches to mark-compacts', async () => {
  const loaded = await loadedAnew(() => import('../../../src/engines/replica/unsent.ts'));
  const unsent = new loaded.Unsent();
  const churn = () => {
    for (let i = 0; i < 40; i++) unsent.take();
  };
  expect(outlivingShare(churn)).toBeLessThan(0.2);
});
