import { expect, test } from 'vitest';
import { View } from '../../../src/fanout/view.ts';
import { endUntold } from '../../../src/sessions/subscriptions/untold.ts';
import { viewOptions } from '../../fanout/fixtures.ts';

function sessionIn(target: string, log: string[], comparesNoOffsets: boolean) {
  const session = {
    ...{ closed: false, comparesNoOffsets },
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

test('sessions that no frame tells of a loss leave their views at once, and end in turns; streams and polls at once', () => {
  const log: string[] = [];
  const sessions = ['a:*', 'b:*', 'c:*', 'stream:*'].map((target) =>
    sessionIn(target, log, target === 'stream:*'),
  );
  const later: (() => void)[] = [];
  endUntold(sessions, 0, { run: (work) => void later.push(work) });
  expect(log.splice(0)).toEqual(['a:* leaves', 'b:* leaves', 'c:* leaves', 'stream:* ends']);
  // Its client has gone by itself.
  Object.assign(sessions[1] as object, { closed: true });
  for (const work of later) work();
  expect(log).toEqual(['a:* ends', 'c:* ends']);
});
