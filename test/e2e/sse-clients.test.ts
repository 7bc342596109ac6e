import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fetchEventSource } from '@microsoft/fetch-event-source';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Site, startSite } from '../support/site.ts';
import { publicationsOf } from '../support/sse-client.ts';

// Clients that know nothing of Sluice: each gets the same publications, and is cut in their midst.

/** Passes connections on to the gateway, and cuts them when it is told to. */
class Cutter {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

let gateway: TestGateway;
let site: Site;
let cutter: Cutter;
let url: string;

beforeAll(async () => {
  site = await startSite('<!doctype html><title>a page</title>');
  gateway = await startGateway({ origins: [new URL(site.url).origin] });
  cutter = new Cutter(gateway.port);
  url = await cutter.listen();
});
afterAll(async () => {
  cutter.close();
  site.close();
  await gateway.close();
});

const count = 60;
const expected = Array.from({ length: count }, (_, i) => i + 1);

async function publish(topic: string, data: number): Promise<void> {
  const answer = await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', data }));
  expect(answer.status).toBe(200);
}

/** Publishes to two topics in turn, the second one heard by a pattern; a cut after each third. */
async function publishWithCuts(name: string, seen: () => number): Promise<void> {
  for (const n of expected) {
    await publish(n % 2 === 0 ? name : `${name}s:a`, n);
    if (n % (count / 3) !== 0 || n === count) continue;
    await expect.poll(seen, { timeout: 10_000 }).toBeGreaterThan(0);
    cutter.cut();
  }
}

const queryOf = (name: string) => `/sse?topic=${name}&topic=${encodeURIComponent(`${name}s:*`)}`;

/** The numbers of one frame. */
function numbersOf(data: string): number[] {
  return publicationsOf(JSON.parse(data) as Record<string, unknown>).map((each) => each.data as number);
}

/** Everything once, and each topic in its order. */
function expectComplete(seen: readonly number[]): void {
  expect([...seen].sort((a, b) => a - b)).toEqual(expected);
  for (const rest of [0, 1]) {
    const ofTopic = seen.filter((n) => n % 2 === rest);
    expect(ofTopic).toEqual([...ofTopic].sort((a, b) => a - b));
  }
}

test('the package eventsource', async () => {
  const seen: number[] = [];
  const source = new EventSource(url + queryOf('node'));
  source.onmessage = ({ data }) => seen.push(...numbersOf(data as string));
  const subscribed = new Promise((resolve) => source.addEventListener('subscribed', resolve));
  await subscribed;
  await publishWithCuts('node', () => seen.length);
  await expect.poll(() => seen.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
  source.close();
  expectComplete(seen);
}, 30_000);

test('the package @microsoft/fetch-event-source', async () => {
  const seen: number[] = [];
  const events: string[] = [];
  const controller = new AbortController();
  // It is made for pages, and asks for nothing but these.
  const page = { document: { hidden: false, addEventListener: () => {}, removeEventListener: () => {} } };
  Object.assign(globalThis, page, { window: globalThis });
  const done = fetchEventSource(url + queryOf('fetched'), {
    signal: controller.signal,
    openWhenHidden: true,
    onmessage({ event, data }) {
      events.push(event);
      if (event === '') seen.push(...numbersOf(data));
    },
    onerror: () => 100,
  });
  await expect.poll(() => events.filter((event) => event === 'subscribed').length).toBeGreaterThanOrEqual(2);
  await publishWithCuts('fetched', () => seen.length);
  await expect.poll(() => seen.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
  controller.abort();
  await done;
  for (const name of [...Object.keys(page), 'window']) Reflect.deleteProperty(globalThis, name);
  expectComplete(seen);
}, 30_000);

test('curl -N, with the last id by hand', async () => {
  const seen: number[] = [];
  let cursor = '';
  let isSubscribed = false;
  let isDone = false;
  const run = async () => {
    while (!isDone) {
      const header = cursor === '' ? [] : ['-H', `Last-Event-ID: ${cursor}`];
      const curl = spawn('curl', ['-sN', ...header, url + queryOf('curled')], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let id = '';
      let data = '';
      for await (const line of createInterface({ input: curl.stdout })) {
        if (line.startsWith('id: ')) id = line.slice(4);
        if (line.startsWith('data: ')) data = line.slice(6);
        if (line !== '') continue;
        if (id !== '') cursor = id;
        if (data !== '') seen.push(...numbersOf(data));
        data = '';
        isSubscribed = cursor !== '';
        if (isDone) curl.kill();
      }
    }
  };
  const running = run();
  await expect.poll(() => isSubscribed).toBe(true);
  await publishWithCuts('curled', () => seen.length);
  await expect.poll(() => seen.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
  isDone = true;
  cutter.cut();
  await running;
  expectComplete(seen);
}, 30_000);

test('the EventSource of a browser, on a page of another origin', async () => {
  const browser = await TestBrowser.launch();
  try {
    const { page } = await browser.open(site.url);
    await page.evaluate((at) => {
      const source = new window.EventSource(at);
      const heard: string[] = [];
      Object.assign(window, { source, heard, subscribed: 0 });
      source.onmessage = ({ data }) => heard.push(data as string);
      source.addEventListener('subscribed', () => {
        (window as unknown as { subscribed: number }).subscribed++;
      });
    }, url + queryOf('browsed'));
    await page.waitForFunction(() => (window as unknown as { subscribed: number }).subscribed >= 2);
    const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
    let seen: number[] = [];
    const look = async () => {
      seen = (await heard()).flatMap(numbersOf);
      return seen.length;
    };
    for (const n of expected) {
      await publish(n % 2 === 0 ? 'browsed' : 'browseds:a', n);
      if (n % (count / 3) !== 0 || n === count) continue;
      await expect.poll(look, { timeout: 10_000 }).toBeGreaterThan(0);
      cutter.cut();
    }
    await expect.poll(look, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
    expectComplete(seen);
  } finally {
    await browser.close();
  }
}, 60_000);
