import { expect, test } from 'vitest';
import { View } from '../../../src/fanout/view.ts';
import { leaveRefilled } from '../../../src/sessions/subscriptions/refills.ts';
import { SegmentPool } from '../../../src/topics/segment-pool.ts';
import { Topic } from '../../../src/topics/topic.ts';
import { viewOptions } from '../../fanout/fixtures.ts';
import { defaultTopic } from '../../topics/fixtures.ts';

function sessionIn(target: string, log: string[], isParked = false) {
  const views = {
    isParked,
    liveViews: [new View(1, viewOptions(target))],
    park: () => {
      views.isParked = true;
      log.push(`${target} left`);
    },
    unpark: () => {
      views.isParked = false;
      log.push(`${target} catches up`);
    },
  };
  return { views };
}

const refilled = new Topic('a:1', defaultTopic, new SegmentPool(), () => undefined);

test('the sessions that hear a refilled topic leave at once, and catch up when the feed has told all of this turn', async () => {
  const log: string[] = [];
  const sessions = [sessionIn('a:1', log), sessionIn('a:*', log), sessionIn('b', log)];
  const refill = leaveRefilled(sessions, refilled, { tellDrops: () => log.push('drops told') });
  log.push('refilled');
  refill();
  log.push('an older commit of another topic');
  await Promise.resolve();
  const left = ['drops told', 'a:1 left', 'a:* left', 'refilled'];
  expect(log).toEqual([...left, 'an older commit of another topic', 'a:1 catches up', 'a:* catches up']);
});

test('a session that its client has parked stays parked', async () => {
  const log: string[] = [];
  leaveRefilled([sessionIn('a:1', log, true)], refilled, { tellDrops: () => undefined })();
  await Promise.resolve();
  expect(log).toEqual([]);
});
