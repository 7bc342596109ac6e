import { expect, test } from 'vitest';
import { GatewayConnection } from '../../src/publisher/connection.ts';
import { Delivery } from '../../src/publisher/delivery.ts';
import { settingsOf } from '../../src/publisher/options.ts';
import { Queue } from '../../src/publisher/queue.ts';

test('what expires before the next attempt, which comes late, is rejected for the reason of the last one', async () => {
  const clock = { nowMs: 0 };
  let attempts = 0;
  const settings = settingsOf({
    url: 'http://127.0.0.1:1',
    credential: () => {
      attempts++;
      // The event loop is held up until after the wait for the next attempt.
      setImmediate(() => {
        clock.nowMs = 1000;
      });
      throw new Error('no credential');
    },
  });
  const queue = new Queue(settings);
  const delivery = new Delivery(queue, new GatewayConnection(settings.url), settings, () => clock.nowMs);
  const rejected = new Promise((_, reject) => {
    queue.add({
      ...{ method: 'POST', path: '/api/publish', order: 'a', body: Buffer.from('{}') },
      ...{ expiresAtMs: 300, hidesDuplicate: true, isUnsure: false, isSettled: false },
      ...{ resolve: () => reject(new Error('published')), reject },
    });
  });
  delivery.start();
  await expect(rejected).rejects.toMatchObject({ code: 'credential_failed' });
  expect(attempts).toBe(1);
});
