import { expect, test } from 'vitest';
import { View } from '../../../src/fanout/view.ts';
import { endUntold } from '../../../src/sessions/subscriptions/untold.ts';
import { viewOptions } from '../../fanout/fixtures.ts';

function sessionIn(target: string, log: string[]) {
  const session = {
    closed: false,
    goAway: () => void log.push(`${target} ends`),
    views: {
      *values() {
        yield { view: new View(1, viewOptions(target)), watches: undefined };
      },
      pause: () => undefined,
      park: () => void log.push(`${target} leaves`),
    },
  };
  return session;
}

test('sessions that no frame tells of a loss leave their views at once, and end in turns', () => {
  const log: string[] = [];
  const sessions = ['a:*', 'b:*', 'c:*'].map((target) => sessionIn(target, log));
  const later: (() => void)[] = [];
  endUntold(sessions, 0, { run: (work) => void later.push(work) });
  expect(log).toEqual(['a:* leaves', 'b:* leaves', 'c:* leaves']);
  // Its client has gone by itself.
  Object.assign(sessions[1] as object, { closed: true });
  for (const work of later) work();
  expect(log.slice(3)).toEqual(['a:* ends', 'c:* ends']);
});
