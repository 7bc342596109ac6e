import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { GatewayConnection } from '../../src/publisher/connection.ts';
import { Delivery } from '../../src/publisher/delivery.ts';
import { settingsOf } from '../../src/publisher/options.ts';
import { Queue } from '../../src/publisher/queue.ts';

/** Publishes bodies to a server, all of one topic and at once. `nowMs`: its clock. */
async function publisherTo(server: Server, nowMs: () => number) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const settings = settingsOf({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const connection = new GatewayConnection(settings.url);
  onTestFinished(() => {
    connection.close();
    server.close();
  });
  const queue = new Queue(settings);
  const delivery = new Delivery(queue, connection, settings, nowMs);
  return (bodies: readonly string[]) => {
    const published = bodies.map(
      (body) =>
        new Promise((resolve, reject) => {
          queue.add({
            method: 'POST',
            path: '/api/publish',
            order: 'a',
            body: Buffer.from(body),
            expiresAtMs: 1e9,
            hidesDuplicate: true,
            isUnsure: false,
            isSettled: false,
            resolve,
            reject,
          });
        }),
    );
    delivery.start();
    return Promise.all(published);
  };
}

test.each([
  ['before the next attempt, which comes late,', 1],
  ['while the next attempt waits for its credential', 2],
])('what expires %s is rejected for the reason of the last one', async (_, most) => {
  const clock = { nowMs: 0 };
  let attempts = 0;
  const settings = settingsOf({
    url: 'http://127.0.0.1:1',
    credential: () => {
      attempts++;
      // The event loop is held up until after the wait for the next attempt.
      setImmediate(() => {
        clock.nowMs = attempts === most ? 1000 : 200;
      });
      if (attempts > 1) return new Promise(() => undefined);
      throw new Error('no credential');
    },
  });
  const queue = new Queue(settings);
  const delivery = new Delivery(queue, new GatewayConnection(settings.url), settings, () => clock.nowMs);
  const rejected = new Promise((_, reject) => {
    queue.add({
      method: 'POST',
      path: '/api/publish',
      order: 'a',
      body: Buffer.from('{}'),
      expiresAtMs: 300,
      hidesDuplicate: true,
      isUnsure: false,
      isSettled: false,
      resolve: () => reject(new Error('published')),
      reject,
    });
  });
  delivery.start();
  await expect(rejected).rejects.toMatchObject({ code: 'credential_failed' });
  expect(attempts).toBe(most);
});

test('idle connections that are closed leave a request alone that is still under way', async () => {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    // An idle connection is to be closed a second before that: at once.
    response.setHeader('keep-alive', 'timeout=1');
    if (request.url === '/slow') held.push(response);
    else response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connection = new GatewayConnection(
    new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
  );
  onTestFinished(() => {
    connection.close();
    server.close();
  });
  const { signal } = new AbortController();
  const request = (path: string) =>
    connection.request({ method: 'POST', path, headers: {}, body: Buffer.of(), timeoutMs: 60_000, signal });
  const slow = request('/slow');
  await expect.poll(() => held.length).toBe(1);
  await request('/quick');
  // Timers of a millisecond run in the order in which they were set.
  await new Promise((resolve) => setTimeout(resolve, 1));
  held[0]?.end('{}');
  await expect(slow).resolves.toMatchObject({ status: 200 });
});

test.each([
  ['an idle connection that the server has just closed is made again at once', true],
  ['a new connection that the server closes is made again after a wait', false],
])('a request on %s', async (_, isReused) => {
  const clock = { nowMs: 0 };
  const attempts: number[] = [];
  const server = createServer((request, response) => {
    attempts.push(clock.nowMs);
    if (attempts.length !== (isReused ? 2 : 1)) {
      response.end('{"epoch":"e","offset":1}');
      return;
    }
    request.socket.destroy();
    // A wait ends, an attempt that is due at once has been made.
    if (!isReused) setTimeout(() => (clock.nowMs += 60_000), 100);
  });
  const publish = await publisherTo(server, () => clock.nowMs);
  await publish(['{}']);
  await publish(['{}']);
  expect(attempts).toEqual(isReused ? [0, 0, 0] : [0, 60_000, 60_000]);
});

test('entries whose wait ends while the next ones are chosen are sent in their order', async () => {
  const count = 200;
  // Time passes each time that it is looked at: the wait would end at an entry in the middle.
  let nowMs = 0;
  const busy = '{"error":{"code":"engine_unavailable","message":"busy","retryAfterMs":50}}';
  const sent: number[][] = [];
  const server = createServer(async (request, response) => {
    sent.push(JSON.parse(await text(request)));
    const result = sent.length === 1 ? busy : '{"epoch":"e","offset":1}';
    response.end(`{"results":[${Array(count).fill(result).join()}]}`);
  });
  const publish = await publisherTo(server, () => nowMs++);
  const numbers = Array.from({ length: count }, (_, i) => i);
  await publish(numbers.map(String));
  expect(sent).toEqual([numbers, numbers]);
});

test.each(['engine_unavailable', 'rate_limited'])(
  'a wait after %s ends, whenever the clock is looked at',
  async (code) => {
    // Time passes each time that it is looked at: some wait ends between any two looks.
    let nowMs = 0;
    let waitMs = 0;
    let attempts = 0;
    const server = createServer((_, response) => {
      const isRefused = ++attempts % 2 === 1;
      const error = { code, message: 'busy', retryAfterMs: waitMs };
      response.end(JSON.stringify(isRefused ? { error } : { epoch: 'e', offset: 1 }));
    });
    const publish = await publisherTo(server, () => nowMs++);
    for (waitMs = 1; waitMs <= 8; waitMs++) await publish(['{}']);
    expect(attempts).toBe(16);
  },
  30_000,
);
