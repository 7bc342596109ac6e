import { expect, test } from 'vitest';
import { Patience } from '../../../src/engines/redis/patience.ts';
import { Reconnecting } from '../../../src/engines/redis/reconnecting.ts';
import { Warnings } from '../../../src/engines/redis/warnings.ts';
import { single } from './fixtures.ts';

test.each([0, 1, 2, 3, 4, 5])(
  'a connection that is lost %i steps after it was made is made again',
  async (steps) => {
    let attempts = 0;
    const reconnecting = new Reconnecting(
      {
        connect: async () => {
          if (++attempts === 1) void lose();
        },
        failed: (cause) => expect.unreachable(cause.message),
      },
      new Patience({ server: single('redis://unused') }, new Warnings()),
    );
    async function lose(): Promise<void> {
      for (let i = 0; i < steps; i++) await undefined;
      reconnecting.again();
    }
    reconnecting.again();
    await expect.poll(() => attempts).toBe(2);
    await reconnecting.close();
    expect(attempts).toBe(2);
  },
);
