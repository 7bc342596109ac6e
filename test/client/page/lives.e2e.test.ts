import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CuttingProxy } from '../../support/cutting-proxy.ts';
import { Devtools, type DevtoolsPage } from '../../support/devtools.ts';
import { startGateway } from '../../support/gateway.ts';
import { range, upTo } from '../../support/numbers.ts';
import { startSite } from '../../support/site.ts';
import { pageFiles } from './fixtures.ts';

/** Random lives of up to four tabs of a real browser. RUNS=50 makes more of them. */
const runs = Number(process.env['RUNS'] ?? 1);
const stepsPerLife = 30;
const tabsMax = 4;

/** Subscribes to its topic from the beginning, and publishes to it, numbered from 0 on. */
const content = `<!doctype html><title>Tab</title><script type="module">
  import { PageClient } from '/page.js';
  const { url, topic } = Object.fromEntries(new URLSearchParams(location.search));
  const name = crypto.randomUUID();
  const stored = [], subscriptions = [];
  let published = 0, waiting = 0, second;
  const client = new PageClient(url, { leaderTimeoutMs: 600, whenHidden: 'continue', reconnect: { delaysMs: [50] } });
  const subscribe = (options) => {
    const seen = [], gaps = [];
    subscriptions.push({ seen, gaps });
    const subscription = client.subscribe(topic, options, ({ offset }) => seen.push(offset));
    subscription.on('gap', (gap) => gaps.push(gap));
    return subscription;
  };
  const connect = () => void client.connect().catch(() => undefined);
  globalThis.page = {
    connect,
    close: () => client.close(),
    again() {
      second?.unsubscribe();
      second = subscribe({});
    },
    publish(count) {
      for (; count > 0; count--) {
        const n = published++;
        waiting++;
        client.publish(topic, 'update', [name, n]).then(() => stored.push(n), () => undefined).then(() => waiting--);
      }
    },
    look: () => ({ name, stored, waiting, subscriptions }),
  };
  subscribe({ since: { epoch: '', offset: 0 } });
  connect();
</script>`;

interface Look {
  readonly name: string;
  readonly stored: readonly number[];
  readonly waiting: number;
  readonly subscriptions: readonly { readonly seen: readonly number[]; readonly gaps: readonly unknown[] }[];
}

/** The tabs of a browser, what happens to them, and what has been published. */
class Life {
  readonly #browser: Devtools;
  readonly #proxy: CuttingProxy;
  readonly #publish: (count: number) => Promise<void>;
  readonly #address: string;
  readonly #tabs = new Set<DevtoolsPage>();
  readonly #frozen = new Set<DevtoolsPage>();
  readonly #away = new Set<DevtoolsPage>();
  readonly #publishing: Promise<void>[] = [];

  constructor(
    browser: Devtools,
    proxy: CuttingProxy,
    address: string,
    publish: (count: number) => Promise<void>,
  ) {
    this.#browser = browser;
    this.#proxy = proxy;
    this.#address = address;
    this.#publish = publish;
  }

  /** By name; `pick` says which of the tabs to which it can happen. */
  readonly #steps = {
    publish: (_: number, count: number) => void this.#publishing.push(this.#publish(count)),
    'publish by': (pick: number, count: number) => this.#call(pick, `publish(${count})`),
    open: () => this.#open(false),
    'open hidden': () => this.#open(true),
    again: (pick: number) => this.#call(pick, 'again()'),
    close: (pick: number) => this.#call(pick, 'close()'),
    connect: (pick: number) => this.#call(pick, 'connect()'),
    cut: () => this.#proxy.cut(),
    reload: (pick: number) =>
      this.#here(pick)
        ?.send('Page.reload')
        .catch(() => undefined),
    leave: async (pick: number) => {
      const tab = this.#here(pick);
      if (tab === undefined) return;
      this.#away.add(tab);
      await tab.send('Page.navigate', { url: 'about:blank' });
    },
    'come back': (pick: number) => {
      const tab = pickOf(this.#away, pick);
      return tab && this.#return(tab);
    },
    freeze: async (pick: number) => {
      const tab = this.#here(pick);
      const isHidden = tab && (await tab.evaluate<boolean>('document.visibilityState === "hidden"'));
      if (tab === undefined || !isHidden) return;
      this.#frozen.add(tab);
      await tab.send('Page.setWebLifecycleState', { state: 'frozen' });
    },
    wake: (pick: number) => {
      const tab = pickOf(this.#frozen, pick);
      return tab && this.#wake(tab);
    },
    end: (pick: number) => this.#end(pickOf(this.#tabs, pick)),
    crash: async (pick: number) => {
      const tab = this.#here(pick);
      void tab?.send('Page.crash').catch(() => undefined);
      await this.#end(tab);
    },
  };

  static readonly names = [
    ...(['publish', 'publish', 'publish by', 'publish by', 'open', 'again'] as const),
    ...(['open hidden', 'open hidden'] as const),
    ...(['close', 'connect', 'cut', 'reload', 'leave', 'come back'] as const),
    ...(['freeze', 'freeze', 'wake', 'end', 'crash'] as const),
  ];

  async step(name: (typeof Life.names)[number], pick: number, count: number): Promise<void> {
    await this.#steps[name](pick, count);
  }

  /** Everybody is there, and has had everything, once and in order. */
  async settle(history: () => Promise<readonly unknown[]>): Promise<void> {
    if (this.#tabs.size === 0) await this.#open(false);
    for (const tab of this.#frozen) await this.#wake(tab);
    for (const tab of this.#away) await this.#return(tab);
    const tabs = [...this.#tabs];
    for (const tab of tabs) {
      // One that was left before it had come has no way back.
      if ((await tab.evaluate('location.href')) === 'about:blank')
        await tab.send('Page.navigate', { url: this.#address });
      await expect.poll(() => tab.evaluate('"page" in globalThis').catch(() => false)).toBe(true);
      await tab.evaluate('page.connect()');
    }
    await Promise.all(this.#publishing);
    const look = (tab: DevtoolsPage) => tab.evaluate<Look>('page.look()');
    for (const tab of tabs) await expect.poll(async () => (await look(tab)).waiting).toBe(0);
    await this.#publish(1);
    const data = await history();
    for (const tab of tabs) {
      const isLast = ({ seen }: Look['subscriptions'][number]) => seen.at(-1) === data.length;
      await expect.poll(async () => (await look(tab)).subscriptions.some(isLast)).toBe(true);
      const { name, stored, subscriptions } = await look(tab);
      for (const { seen, gaps } of subscriptions) {
        expect(gaps).toEqual([]);
        expect(seen).toEqual(range((seen[0] ?? 1) - 1, seen.at(-1) ?? 0));
      }
      await expect.poll(async () => (await look(tab)).subscriptions[0]?.seen).toEqual(upTo(data.length));
      const own = data
        .filter((each) => Array.isArray(each) && each[0] === name)
        .map((each) => (each as unknown[])[1]);
      expect(own).toEqual([...new Set(own)].sort((a, b) => Number(a) - Number(b)));
      expect(own).toEqual(expect.arrayContaining([...stored]));
    }
  }

  async close(): Promise<void> {
    for (const tab of this.#tabs) await this.#end(tab);
  }

  /** One that can be asked to do something. */
  #here(pick: number): DevtoolsPage | undefined {
    return pickOf(
      new Set([...this.#tabs].filter((tab) => !this.#frozen.has(tab) && !this.#away.has(tab))),
      pick,
    );
  }

  async #call(pick: number, what: string): Promise<void> {
    // It may still be loading.
    await this.#here(pick)
      ?.evaluate(`page.${what}`)
      .catch(() => undefined);
  }

  async #open(background: boolean): Promise<void> {
    if (this.#tabs.size < tabsMax) this.#tabs.add(await this.#browser.open(this.#address, { background }));
  }

  async #wake(tab: DevtoolsPage): Promise<void> {
    this.#frozen.delete(tab);
    await tab.send('Page.setWebLifecycleState', { state: 'active' });
  }

  async #return(tab: DevtoolsPage): Promise<void> {
    this.#away.delete(tab);
    await tab.evaluate('history.back()').catch(() => undefined);
  }

  async #end(tab: DevtoolsPage | undefined): Promise<void> {
    if (tab === undefined) return;
    for (const set of [this.#tabs, this.#frozen, this.#away]) set.delete(tab);
    await tab.close().catch(() => undefined);
  }
}

function pickOf<T>(from: ReadonlySet<T>, pick: number): T | undefined {
  return [...from][pick % Math.max(1, from.size)];
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom(...Life.names),
    fc.nat(tabsMax - 1),
    fc.integer({ min: 1, max: 15 }),
    fc.constantFrom(0, 0, 10, 100, 900, 2500),
  ),
  { minLength: stepsPerLife, maxLength: stepsPerLife },
);

it('whatever happens to the tabs of a browser, each sees what is published once and in order', {
  timeout: 120_000 + runs * 90_000,
}, async ({ onTestFinished }) => {
  const site = await startSite(content, await pageFiles());
  onTestFinished(() => site.close());
  const gateway = await startGateway({ origins: [site.url.slice(0, -1)], batchMaxDelayMs: 0 });
  onTestFinished(() => gateway.close());
  const proxy = await CuttingProxy.open(gateway.wsUrl);
  onTestFinished(() => proxy.close());
  const browser = await Devtools.launch();
  onTestFinished(() => browser.close());
  const connections = () => gateway.metric('sluice_connections');
  let lives = 0;
  const one = async (
    happening: readonly (readonly [(typeof Life.names)[number], number, number, number])[],
  ) => {
    const topic = `life-${++lives}`;
    const publish = async (count: number) => {
      for (let n = 0; n < count; n++) await gateway.publish({ topic, type: 'update', data: n });
    };
    const life = new Life(browser, proxy, `${site.url}?url=${proxy.wsUrl}&topic=${topic}`, publish);
    try {
      await life.step('open', 0, 0);
      for (const [name, pick, count, pauseMs] of happening) {
        await life.step(name, pick, count);
        await pause(pauseMs);
      }
      await life.settle(async () => {
        const answer = await fetch(`${gateway.url}/api/topics/${topic}/history?limit=1000`);
        const { messages } = (await answer.json()) as { messages: { data: unknown }[] };
        return messages.map(({ data }) => data);
      });
      await expect.poll(connections).toBe(1);
    } finally {
      await life.close();
    }
  };
  await fc.assert(fc.asyncProperty(steps, one), { numRuns: runs, endOnFailure: true });
});
