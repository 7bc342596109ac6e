import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PageClient, PageClientOptions } from '../../../src/client/page/index.ts';
import type { Subscription } from '../../../src/client/subscriptions/subscription.ts';
import { TestBrowser } from '../../support/browser.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { upTo } from '../../support/numbers.ts';
import { type Site, startSite } from '../../support/site.ts';
import { pageFiles } from './fixtures.ts';

let browser: TestBrowser;
let gateway: TestGateway;
let site: Site;
const opened: Page[] = [];

beforeAll(async () => {
  site = await startSite('<!doctype html><title>Tabs</title>', await pageFiles());
  gateway = await startGateway({ origins: [site.url.slice(0, -1)], batchMaxDelayMs: 0 });
  browser = await TestBrowser.launch();
});

afterEach(async () => {
  for (const page of opened.splice(0)) await page.close();
  await expect.poll(connections).toBe(0);
});

afterAll(async () => {
  await browser.close();
  site.close();
  await gateway.close();
});

type Window = typeof globalThis & {
  PageClient: typeof PageClient;
  client: PageClient;
  seen: number[];
  gaps: unknown[];
  states: string[];
  map: Record<string, unknown>;
  grid: Subscription;
  hide(hidden: boolean): void;
};

/** Opens a tab with a client that is subscribed to `topic`, and waits until the subscription is live. */
async function openTab(topic: string, options: PageClientOptions = {}): Promise<Page> {
  const { page } = await browser.open(site.url);
  opened.push(page);
  await page.addScriptTag({
    type: 'module',
    content: `globalThis.PageClient = (await import('/page.js')).PageClient`,
  });
  await page.waitForFunction(() => 'PageClient' in globalThis);
  const arguments_ = { url: gateway.wsUrl, topic, options };
  await page.evaluate(async (given) => {
    const window = globalThis as Window;
    window.hide = (hidden) => {
      Object.defineProperty(document, 'visibilityState', {
        configurable: true,
        value: hidden ? 'hidden' : 'visible',
      });
      document.dispatchEvent(new Event('visibilitychange'));
    };
    window.seen = [];
    window.gaps = [];
    window.map = {};
    window.client = new window.PageClient(given.url, { leaderTimeoutMs: 600, ...given.options });
    const subscription = window.client.subscribe(given.topic, {}, ({ offset }) => window.seen.push(offset));
    subscription.on('gap', (gap) => window.gaps.push(gap));
    subscription.on('map', (entries) => {
      window.map = Object.fromEntries([...entries].map(([key, { data }]) => [key, data]));
    });
    const live = new Promise<void>((resolve) => {
      subscription.on('state', (state) => state === 'live' && resolve());
    });
    await window.client.connect();
    await live;
  }, arguments_);
  return page;
}

async function publish(topic: string, count: number, key?: string): Promise<void> {
  for (let index = 0; index < count; index++)
    await gateway.publish({ topic, type: 'update', key, data: { index } });
}

const connections = () => gateway.metric('sluice_connections');
const seen = (page: Page) => page.evaluate(() => (globalThis as Window).seen);
const gaps = (page: Page) => page.evaluate(() => (globalThis as Window).gaps);
const role = (page: Page) => page.evaluate(() => (globalThis as Window).client.sharing.role);

/** Stops all that the page runs, as other browsers than Chromium freeze one. Returns a function that wakes it. */
async function freeze(page: Page): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Debugger.enable');
  const paused = new Promise((resolve) => session.once('Debugger.paused', resolve));
  await session.send('Debugger.pause');
  await paused;
  return async () => {
    await session.send('Debugger.resume');
    await session.detach();
  };
}

describe('tabs of a browser', () => {
  it('share one connection, and each gets every publication', async () => {
    const [one, two] = [await openTab('shared'), await openTab('shared')];
    expect(await connections()).toBe(1);
    expect([await role(one), await role(two)]).toEqual(['leader', 'follower']);
    await publish('shared', 5);
    for (const page of [one, two]) await expect.poll(() => seen(page)).toEqual(upTo(5));
  });

  it('have a connection each where the identities differ, or an option says so', async () => {
    await openTab('apart', { identity: 'alice' });
    await openTab('apart', { identity: 'bob' });
    const own = await openTab('apart', { identity: 'alice', tabs: 'own' });
    expect(await connections()).toBe(3);
    expect(await own.evaluate(() => (globalThis as Window).client.sharing)).toEqual({
      role: 'alone',
      reason: 'not_wanted',
    });
  });

  it('lose nothing when the tab that leads is closed while publications come', async () => {
    const [leader, follower] = [await openTab('closing'), await openTab('closing')];
    const published = publish('closing', 200);
    await expect.poll(async () => (await seen(follower)).length).toBeGreaterThan(20);
    await leader.close();
    await published;
    await expect.poll(() => seen(follower)).toEqual(upTo(200));
    // All may have come before the tab was closed.
    await expect.poll(async () => [await role(follower), await connections()]).toEqual(['leader', 1]);
    expect(await gaps(follower)).toEqual([]);
  });

  it('lose nothing when the tab that leads freezes, and it is complete when it wakes', async () => {
    const [leader, follower] = [await openTab('freezing'), await openTab('freezing')];
    await publish('freezing', 3);
    await expect.poll(() => seen(follower)).toEqual(upTo(3));
    const wake = await freeze(leader);
    await publish('freezing', 50);
    await expect.poll(() => role(follower)).toBe('leader');
    await expect.poll(() => seen(follower)).toEqual(upTo(53));
    await wake();
    await expect.poll(() => role(leader)).toBe('follower');
    await publish('freezing', 1);
    for (const page of [leader, follower]) await expect.poll(() => seen(page)).toEqual(upTo(54));
    expect([await gaps(leader), await gaps(follower), await connections()]).toEqual([[], [], 1]);
  });

  it.each([
    ['that follows', 1],
    ['that leads', 0],
  ])('go on when one %s closes its client with calls under way, and it may come back', async (_, closing) => {
    const topic = `closed-${closing}`;
    const pages = [await openTab(topic), await openTab(topic)];
    const [page, other] = [pages[closing] as Page, pages[1 - closing] as Page];
    const faults: string[] = [];
    for (const each of pages) each.on('pageerror', (error) => faults.push(String(error)));
    await publish(topic, 1);
    for (const each of pages) await expect.poll(() => seen(each)).toEqual(upTo(1));
    for (const each of [other, page])
      await each.evaluate(
        ([name, isClosing]) => {
          const { client } = globalThis as Window;
          for (let i = 0; i < 20; i++) client.history(name).catch(() => undefined);
          if (isClosing) client.close();
        },
        [topic, each === page] as const,
      );
    expect(await page.evaluate(() => (globalThis as Window).client.getStatus().state)).toBe('closed');
    await publish(topic, 2);
    await expect.poll(() => seen(other)).toEqual(upTo(3));
    expect(await seen(page)).toEqual(upTo(1));
    await page.evaluate(async () => {
      await (globalThis as Window).client.connect();
    });
    await expect.poll(() => seen(page)).toEqual(upTo(3));
    expect(await connections()).toBe(1);
    expect(faults).toEqual([]);
  });

  it('have grids that scroll by the connection of another tab, and go on by their own', async () => {
    for (const key of ['a', 'b', 'c']) await publish('server:grid', 1, key);
    const [leader, follower] = [await openTab('grid'), await openTab('grid')];
    const shown = () => follower.evaluate(() => (globalThis as Window).map);
    const [first, second] = [{ index: 0 }, { index: 1 }];
    await follower.evaluate(() => {
      const window = globalThis as Window;
      window.grid = window.client.subscribe('server:grid', { keys: ['a', 'b'] });
      window.grid.on('map', (entries) => {
        window.map = Object.fromEntries([...entries].map(([key, { data }]) => [key, data]));
      });
    });
    await expect.poll(shown).toEqual({ a: first, b: first });
    await follower.evaluate(() => (globalThis as Window).grid.setKeys(['b', 'c']));
    await expect.poll(shown).toEqual({ b: first, c: first });
    await leader.close();
    await expect.poll(() => role(follower)).toBe('leader');
    await publish('server:grid', 2, 'c');
    await publish('server:grid', 2, 'a');
    await expect.poll(shown).toEqual({ b: first, c: second });
  });

  it('publish through the one that leads; one that freezes meanwhile makes no duplicate', async () => {
    const [leader, follower] = [await openTab('asking'), await openTab('asking')];
    const wake = await freeze(leader);
    const place = await follower.evaluate(() =>
      (globalThis as Window).client.publish('asking', 'update', { from: 'follower' }),
    );
    expect(place.offset).toBe(1);
    await expect.poll(() => seen(follower)).toEqual([1]);
    await wake();
    await expect.poll(() => seen(leader)).toEqual([1]);
  });

  it('get their own publications but where they say exceptSelf, and the other tabs get them then', async () => {
    const [one, two] = [await openTab('except'), await openTab('except')];
    await two.evaluate(async () => {
      const { client } = globalThis as Window;
      await client.publish('except', 'update', 1, { exceptSelf: true });
      await client.publish('except', 'update', 2);
    });
    await expect.poll(() => seen(two)).toEqual([2]);
    await expect.poll(() => seen(one)).toEqual([1, 2]);
  });
});

describe('a hidden tab', () => {
  it('costs no deliveries, and is complete when it is shown again', async () => {
    const page = await openTab('hidden');
    await publish('hidden', 2);
    await expect.poll(() => seen(page)).toEqual(upTo(2));
    await page.evaluate(() => (globalThis as Window).hide(true));
    await expect.poll(() => gateway.metric('sluice_subscriptions')).toBe(1);
    const before = await gateway.metric('sluice_deliveries_total');
    await publish('hidden', 20);
    expect(await gateway.metric('sluice_deliveries_total')).toBe(before);
    expect(await seen(page)).toEqual(upTo(2));
    await page.evaluate(() => (globalThis as Window).hide(false));
    await expect.poll(() => seen(page)).toEqual(upTo(22));
    expect(await gaps(page)).toEqual([]);
  });

  it('resumes a pattern, its topics born meanwhile included', async () => {
    const page = await openTab('log:*');
    await publish('log:a', 2);
    await expect.poll(() => seen(page)).toEqual([1, 2]);
    await page.evaluate(() => (globalThis as Window).hide(true));
    await expect.poll(() => gateway.metric('sluice_subscriptions')).toBe(1);
    await publish('log:a', 2);
    await publish('log:b', 1);
    await page.evaluate(() => (globalThis as Window).hide(false));
    await expect.poll(async () => (await seen(page)).sort()).toEqual([1, 1, 2, 3, 4]);
    expect(await gaps(page)).toEqual([]);
  });

  it('that leads goes on for those that are seen', async () => {
    const [leader, follower] = [await openTab('led'), await openTab('led')];
    await leader.evaluate(() => (globalThis as Window).hide(true));
    await publish('led', 5);
    await expect.poll(() => seen(follower)).toEqual(upTo(5));
    expect([await seen(leader), await role(leader)]).toEqual([[], 'leader']);
    await leader.evaluate(() => (globalThis as Window).hide(false));
    await expect.poll(() => seen(leader)).toEqual(upTo(5));
  });

  it('has the whole map of a state topic when it is shown again', async () => {
    const page = await openTab('server:tabs');
    await publish('server:tabs', 1, 'a');
    await publish('server:tabs', 1, 'b');
    const map = () => page.evaluate(() => (globalThis as Window).map);
    await expect.poll(map).toEqual({ a: { index: 0 }, b: { index: 0 } });
    await page.evaluate(() => (globalThis as Window).hide(true));
    await expect.poll(() => gateway.metric('sluice_subscriptions')).toBe(1);
    await publish('server:tabs', 3, 'b');
    await publish('server:tabs', 1, 'c');
    await page.evaluate(() => (globalThis as Window).hide(false));
    await expect.poll(map).toEqual({ a: { index: 0 }, b: { index: 2 }, c: { index: 0 } });
  });
});

it('delivers once per animation frame where it is asked to, in order', async () => {
  const page = await openTab('frames');
  const frames = page.evaluate(
    () =>
      new Promise<number[][]>((resolve) => {
        const batches: number[][] = [[]];
        const options = { deliver: 'frame', since: { epoch: '', offset: 0 } } as const;
        (globalThis as Window).client.subscribe('frames', options, ({ offset }) => {
          if (batches.at(-1)?.length === 0) requestAnimationFrame(() => batches.push([]));
          batches.at(-1)?.push(offset);
          if (offset === 100) resolve(batches);
        });
      }),
  );
  await publish('frames', 100);
  const delivered = (await frames).filter((batch) => batch.length > 0);
  expect(delivered.flat()).toEqual(upTo(100));
});

it('holds the connection in a worker where it is given one', async () => {
  const { page } = await browser.open(site.url);
  opened.push(page);
  await page.addScriptTag({
    type: 'module',
    content: `globalThis.PageClient = (await import('/page.js')).PageClient`,
  });
  await page.waitForFunction(() => 'PageClient' in globalThis);
  const outcome = page.evaluate(async (url) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    const client = new (globalThis as Window).PageClient(url, { worker });
    const data: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      client.subscribe('worked', { since: { epoch: '', offset: 0 } }, (publication) => {
        if (data.push(publication.data) === 3) resolve();
      });
    });
    await client.connect();
    await client.publish('worked', 'update', { first: [1, 'ü'] });
    await client.publish('worked', 'update', 2);
    const refused = await client.publish('no topic', 'update').catch(({ code }: { code: string }) => code);
    await client.publish('worked', 'update', null);
    await all;
    const { publications } = await client.history('worked', { limit: 1 });
    const { role } = client.sharing;
    client.close();
    return {
      data,
      refused,
      history: publications.map((one) => one.data),
      role,
      state: client.getStatus().state,
    };
  }, gateway.wsUrl);
  expect(await outcome).toEqual({
    data: [{ first: [1, 'ü'] }, 2, null],
    refused: 'invalid_topic',
    history: [{ first: [1, 'ü'] }],
    role: 'worker',
    state: 'closed',
  });
});
