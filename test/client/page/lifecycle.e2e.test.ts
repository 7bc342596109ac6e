import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Devtools, type DevtoolsPage } from '../../support/devtools.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { range, upTo } from '../../support/numbers.ts';
import { type Site, startSite } from '../../support/site.ts';
import { pageFiles } from './fixtures.ts';

/** A page that subscribes to the topic of its query from the topic's beginning. */
const page = `<!doctype html><title>Tab</title><script type="module">
  import { PageClient } from '/page.js';
  const { url, topic } = Object.fromEntries(new URLSearchParams(location.search));
  globalThis.seen = [];
  globalThis.gaps = [];
  globalThis.returned = 0;
  addEventListener('pageshow', ({ persisted }) => { if (persisted) returned++; });
  globalThis.client = new PageClient(url, { leaderTimeoutMs: 600, whenHidden: 'continue' });
  const subscription = client.subscribe(topic, { since: { epoch: '', offset: 0 } }, ({ offset }) => seen.push(offset));
  subscription.on('gap', (gap) => gaps.push(gap));
  globalThis.connected = client.connect();
</script>`;

let browser: Devtools;
let gateway: TestGateway;
let site: Site;
let topic: string;
let tests = 0;
const opened: DevtoolsPage[] = [];

beforeAll(async () => {
  site = await startSite(page, await pageFiles());
  gateway = await startGateway({ origins: [site.url.slice(0, -1)], batchMaxDelayMs: 0 });
  browser = await Devtools.launch();
});
beforeEach(() => {
  topic = `life-${++tests}`;
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close().catch(() => undefined);
  await expect.poll(connections).toBe(0);
});
afterAll(async () => {
  await browser.close();
  site.close();
  await gateway.close();
});

const address = () => `${site.url}?url=${gateway.wsUrl}&topic=${topic}`;
const connections = () => gateway.metric('sluice_connections');
const seen = (tab: DevtoolsPage) => tab.evaluate<number[]>('globalThis.seen');
const role = (tab: DevtoolsPage) => tab.evaluate<string>('globalThis.client?.sharing.role');

async function open(more: Parameters<Devtools['open']>[1] = {}): Promise<DevtoolsPage> {
  const tab = await browser.open(address(), more);
  opened.push(tab);
  return tab;
}

/** Opens a tab, and waits until it is connected. */
async function openTab(more: Parameters<Devtools['open']>[1] = {}): Promise<DevtoolsPage> {
  const tab = await open(more);
  await expect.poll(() => tab.evaluate('"connected" in globalThis')).toBe(true);
  await tab.evaluate('connected.then(() => 1)');
  return tab;
}

async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const answer = await gateway.post('/api/publish', JSON.stringify({ topic, type: 'update', data: i }));
    expect(answer.status).toBe(200);
  }
}

/** All have had all, once and in order, over this many connections. */
async function expectAll(tabs: readonly DevtoolsPage[], count: number, over = 1): Promise<void> {
  for (const tab of tabs) {
    await expect.poll(() => seen(tab)).toEqual(upTo(count));
    expect(await tab.evaluate('globalThis.gaps')).toEqual([]);
  }
  await expect.poll(connections).toBe(over);
}

const freeze = (tab: DevtoolsPage) => tab.send('Page.setWebLifecycleState', { state: 'frozen' });
const wake = (tab: DevtoolsPage) => tab.send('Page.setWebLifecycleState', { state: 'active' });

it('a leader that the browser freezes is replaced, and is complete when it wakes', async () => {
  const leader = await openTab({ background: true });
  const follower = await openTab();
  expect(await role(leader)).toBe('leader');
  await publish(3);
  await expectAll([leader, follower], 3);
  await freeze(leader);
  await publish(50);
  await expect.poll(() => role(follower)).toBe('leader');
  await expect.poll(() => seen(follower)).toEqual(upTo(53));
  await wake(leader);
  await publish(1);
  await expectAll([leader, follower], 54);
  expect([await role(leader), await role(follower)]).toEqual(['follower', 'leader']);
});

it('a follower that the browser freezes is complete when it wakes, also if its leader has gone meanwhile', async () => {
  const leader = await openTab();
  const follower = await openTab({ background: true });
  const other = await openTab({ background: true });
  await publish(3);
  await expectAll([leader, follower, other], 3);
  await freeze(follower);
  await publish(20);
  await leader.close();
  await publish(20);
  // The lock goes to the one that waits for it the longest, which is frozen.
  await expectAll([other], 43);
  await wake(follower);
  await expectAll([follower, other], 43);
});

it('a tab that ends without a word, as one that is discarded, is replaced', async () => {
  const [leader, follower] = [await openTab(), await openTab()];
  await publish(3);
  await expectAll([leader, follower], 3);
  void leader.send('Page.crash').catch(() => undefined);
  await publish(20);
  await expectAll([follower], 23);
  expect(await role(follower)).toBe('leader');
});

it.each([
  ['that leads', 0],
  ['that follows', 1],
])('a page %s and comes back from the cache for back and forward goes on', async (_, leaving) => {
  const tabs = [await openTab(), await openTab()];
  const [leaver, other] = [tabs[leaving] as DevtoolsPage, tabs[1 - leaving] as DevtoolsPage];
  await publish(3);
  await expectAll(tabs, 3);
  await leaver.send('Page.navigate', { url: `${site.url.replace('127.0.0.1', 'localhost')}worker.js` });
  await publish(20);
  await expectAll([other], 23);
  await leaver.evaluate('history.back()').catch(() => undefined);
  await expect.poll(() => leaver.evaluate('globalThis.returned').catch(() => undefined)).toBe(1);
  await publish(1);
  await expectAll(tabs, 24);
});

it('a duplicate of a tab, and a frame of the same site, share its connection; a frame that leads may be removed', async () => {
  const tab = await openTab();
  await publish(3);
  await tab.evaluate('void (copy = open(location.href))');
  await expect.poll(() => tab.evaluate('copy.seen')).toEqual(upTo(3));
  await tab.evaluate(
    'void document.body.append(frame = Object.assign(document.createElement("iframe"), { src: location.href }))',
  );
  await expect.poll(() => tab.evaluate('frame.contentWindow.seen')).toEqual(upTo(3));
  await expectAll([tab], 3);
  // The copy leads next, and then the frame.
  await tab.evaluate('client.close()');
  await expect.poll(() => tab.evaluate('copy.client.sharing.role')).toBe('leader');
  await tab.evaluate('copy.close()');
  await expect.poll(() => tab.evaluate('frame.contentWindow.client.sharing.role')).toBe('leader');
  await tab.evaluate('client.connect().then(() => 1)');
  await tab.evaluate('frame.remove()');
  await publish(20);
  await expectAll([tab], 23);
});

it('a private window shares nothing with the others', async () => {
  const { browserContextId } = await browser.send('Target.createBrowserContext');
  const tabs = [await openTab(), await openTab({ browserContextId }), await openTab({ browserContextId })];
  await publish(5);
  await expectAll(tabs, 5, 2);
});

it.each([
  ['leads', 0],
  ['follows', 1],
])(
  'what a page that %s publishes as it is left is stored once and in order, or not at all',
  async (_, leaving) => {
    const tabs = [await openTab(), await openTab()];
    const [leaver, other] = [tabs[leaving] as DevtoolsPage, tabs[1 - leaving] as DevtoolsPage];
    const rounds = 5;
    for (let round = 0; round < rounds; round++) {
      await leaver
        .evaluate(
          `globalThis.round = ${round}; for (let i = 0; i < 15; i++) client.publish('${topic}', 'update', ['${round}', i]).catch(() => undefined);
        setTimeout(() => location.reload(), ${round * 4})`,
        )
        .catch(() => undefined);
      // A fresh page.
      await expect
        .poll(() =>
          leaver.evaluate('globalThis.round === undefined && "connected" in globalThis').catch(() => false),
        )
        .toBe(true);
      await leaver.evaluate('connected.then(() => 1)');
    }
    await publish(1);
    const { publications } = await other.evaluate<{ publications: { data: unknown }[] }>(
      `client.history('${topic}', { limit: 1000 }).then(({ publications }) => ({ publications: publications.map(({ data }) => ({ data })) }))`,
    );
    const stored = publications.map(({ data }) => data).filter((data) => Array.isArray(data)) as [
      string,
      number,
    ][];
    for (let round = 0; round < rounds; round++) {
      const numbers = stored.filter(([of]) => of === String(round)).map(([, i]) => i);
      expect(numbers).toEqual(range(-1, numbers.length - 1));
    }
    await expectAll(tabs, publications.length);
  },
);

it('twenty tabs that are opened at once share one connection', async () => {
  const tabs = await Promise.all(Array.from({ length: 20 }, () => open()));
  await publish(5);
  await expectAll(tabs, 5);
  const roles = await Promise.all(tabs.map(role));
  expect(roles.filter((each) => each === 'leader')).toHaveLength(1);
});
