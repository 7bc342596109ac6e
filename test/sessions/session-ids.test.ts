import { expect, test } from 'vitest';
import { SessionIds } from '../../src/sessions/session-ids.ts';

test('ids are 12 characters that need no escape in a path, and none comes twice', () => {
  const ids = new SessionIds();
  const made = Array.from({ length: 1000 }, () => ids.next());
  for (const id of made) expect(id).toMatch(/^[\w-]{12}$/);
  expect(new Set(made).size).toBe(made.length);
});
