import { hostname } from 'node:os';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { opened } from '../support/opened.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';
import { faintTexts } from './support/contrast.ts';
import { connectionState, cpu, useDashboard } from './support/dashboard.ts';
import { PrefixProxy } from './support/prefix-proxy.ts';

const byKey = { 'x-api-key': apiKey };
const guarded = { apiKeys: [apiKey], tokenSecret };

const dashboard = useDashboard();
const { start, startProcess, open } = dashboard;

const publish = (topic: string, value: number) =>
  dashboard.publish(topic, 'monitoring_update', 'cpu', cpu(value), byKey);
const reads = (page: Page, value: string) =>
  page.locator('[data-type=cpu] .headline').getByText(value).waitFor();
const live = (page: Page) => connectionState(page, 'live');

async function enter(page: Page, label: string, value: string): Promise<void> {
  await page.getByLabel(label).fill(value);
  await page.getByLabel(label).press('Enter');
}

function token(...patterns: string[]): Promise<string> {
  const topics = patterns.map((pattern) => ({ pattern, allow: ['subscribe'] }));
  return signToken({ topics });
}

describe('the dashboard of a gateway that wants a credential', () => {
  it('says so, takes an API key by hand, and keeps it for the tab only', async () => {
    const { url } = await start(guarded);
    await publish('server:web-01', 11);
    const { page, problems } = await open(url);
    await page.getByRole('heading', { name: 'This gateway needs a credential' }).waitFor();
    expect(await page.textContent('#notice')).not.toContain('--source-host');
    await enter(page, 'Token or API key', apiKey);
    await reads(page, '11.0');
    await page.reload();
    await reads(page, '11.0');
    expect(page.url()).not.toContain(apiKey);
    expect(await page.evaluate(() => Object.keys(localStorage).length + document.cookie.length)).toBe(0);
    const { page: other } = await open(url);
    await other.getByRole('heading', { name: 'This gateway needs a credential' }).waitFor();
    expect(problems).toEqual([]);
  });

  it('does not ask again for what was refused', async () => {
    const { url } = await start(guarded);
    const { page } = await open(url);
    for (const [hash, heading] of [
      ['', 'This gateway needs a credential'],
      [`#token=${await token('server:web-01')}`, 'Which server?'],
    ] as const) {
      await page.clock.install();
      await page.goto(`${url}/try`);
      const refused = page.waitForResponse((response) => response.url().includes('/api/topics'));
      await page.goto(`${url}/${hash}`);
      await refused;
      await page.getByRole('heading', { name: heading }).waitFor();
      let asked = 0;
      page.on('request', (request) => {
        if (request.url().includes('/api/topics')) asked++;
      });
      for (let polls = 0; polls < 5; polls++) {
        await page.clock.runFor(2_000);
        // A response to what it has asked comes before this one.
        await page.evaluate(() => fetch('/healthz').then((response) => response.text()));
      }
      // It asks again when it connects.
      expect(asked).toBeLessThan(2);
    }
  });

  it('says that a credential was refused, and takes another one', async () => {
    const { url } = await start(guarded);
    await publish('server:web-01', 11);
    const { page } = await open(url);
    await enter(page, 'Token or API key', 'a-key-that-is-not-known');
    const alert = page.getByRole('alert');
    await alert.getByText('The gateway refused the connection').waitFor();
    expect(await alert.textContent()).toMatch(/This API key is not known \(unauthorized\)/);
    await enter(page, 'Token or API key', await token('server:*'));
    await reads(page, '11.0');
  });

  it('asks for the server where a token can’t list them, and says which one it may not show', async () => {
    const { url } = await start(guarded);
    await publish('server:web-01', 11);
    await publish('server:web-02', 22);
    const { page } = await open(`${url}/#token=${await token('server:web-01')}`);
    await page.getByRole('heading', { name: 'Which server?' }).waitFor();
    await enter(page, 'Server', 'web-02');
    await page.getByRole('heading', { name: 'server:web-02 can’t be shown' }).waitFor();
    expect(await page.textContent('#notice')).toMatch(/Not allowed to read server:web-02 \(forbidden\)/);
    await enter(page, 'Server', 'web-01');
    await reads(page, '11.0');
  });

  it('tells the command to publish with a key once it is in, where there is no server yet', async () => {
    const { url } = await start(guarded);
    const { page } = await open(`${url}/#token=${apiKey}`);
    await page.getByRole('heading', { name: 'No server is publishing yet' }).waitFor();
    await live(page);
    expect(await page.locator('.command').allTextContents()).toEqual([
      expect.stringContaining('--source-host'),
      expect.stringMatching(/authorization: Bearer API_KEY/),
    ]);
  });

  it('is open where anonymous access is on', async () => {
    const { url } = await start({ ...guarded, anonymous: true });
    await publish('server:web-01', 11);
    const { page } = await open(url);
    await reads(page, '11.0');
  });
});

describe('the dashboard', () => {
  it('lists all servers, not the first page of them', async () => {
    const { url } = await start({ topicsMax: 5000 });
    const names = Array.from({ length: 1_205 }, (_, i) => `web-${String(i).padStart(4, '0')}`);
    for (let from = 0; from < names.length; from += 500) {
      const items = names
        .slice(from, from + 500)
        .map((name) => ({ topic: `server:${name}`, key: 'cpu', data: cpu(1) }));
      const response = await fetch(`${url}/api/publish/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(items),
      });
      expect(response.status).toBe(200);
    }
    const { page } = await open(url);
    await page.getByLabel('Server').waitFor();
    expect(await page.locator('#server option').allTextContents()).toEqual(names);
  });

  async function expectReadable(page: Page): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect([colorScheme, ...(await faintTexts(page, 4.5))]).toEqual([colorScheme]);
    }
  }

  it('can be read while it is live and while it reconnects, light and dark', async () => {
    const gateway = await startProcess('--source-host', '--source-host-interval-ms', '200');
    const { page } = await open(gateway.url);
    await live(page);
    await page.locator('[data-type=memory] .badge:not([data-level=none])').waitFor();
    await expectReadable(page);
    await gateway.kill();
    await page.locator('#connection[data-state=reconnecting]').waitFor();
    await page.locator('#banner').getByText('The connection was lost').waitFor();
    await expectReadable(page);
  });

  it('can be read while something is lacking, light and dark', async () => {
    const { url } = await start(guarded);
    const { page } = await open(url);
    await page.getByLabel('Token or API key').waitFor();
    await expectReadable(page);
  });

  it('fits into 320 pixels, with whole labels', async () => {
    const gateway = await startProcess('--source-host', '--source-host-interval-ms', '200');
    const { page } = await open(gateway.url);
    await page.setViewportSize({ width: 320, height: 640 });
    await live(page);
    await page.locator('[data-type=memory] .badge:not([data-level=none])').waitFor();
    const overflowing = () =>
      page.evaluate(() => {
        const cut = [
          ...document.querySelectorAll<HTMLElement>(
            'dt, dd, h2, .badge, .headline, .detail, .legend li, .window span, .connection, button, .changes li > *',
          ),
        ]
          .filter((element) => element.checkVisibility())
          .filter((element) => {
            const { left, right } = element.getBoundingClientRect();
            return element.scrollWidth > element.clientWidth + 1 || left < 0 || right > innerWidth;
          })
          .map((element) => `${element.className || element.tagName}: ${element.textContent}`);
        const boxes = [...document.querySelectorAll('.changes .what')].map((what) => [
          what.getBoundingClientRect(),
          what.parentElement?.querySelector('.steps')?.getBoundingClientRect(),
        ]);
        const covered = boxes.filter(
          ([what, steps]) =>
            what && steps && what.bottom > steps.top && what.right > steps.left && what.top < steps.bottom,
        );
        return [document.documentElement.scrollWidth, ...cut, ...covered.map(() => 'a covered label')];
      });
    const change = { monitoring_type: 'network', from: 'critical', to: 'warning', value: 97, unit: '%' };
    await dashboard.publish(`server:${hostname()}`, 'status_change', 'status:network', change);
    await page.locator('.changes .arrow').first().waitFor();
    expect(await overflowing()).toEqual([320]);
    await gateway.kill();
    await page.locator('#connection[data-state=reconnecting]').waitFor();
    expect(await overflowing()).toEqual([320]);
    expect((await page.locator('#server').boundingBox())!.width).toBeGreaterThan(200);
  });
});

describe('below a path, behind a proxy that strips it', () => {
  it('the dashboard, its files and its connection work', async () => {
    const { port } = await start(guarded);
    await publish('server:web-01', 11);
    const proxy = await opened(PrefixProxy.start('/push/', port));
    const { page, problems } = await open(`${proxy.url}#token=${await token('server:*')}`);
    await reads(page, '11.0');
    await live(page);
    await publish('server:web-01', 12);
    await reads(page, '12.0');
    expect([problems, proxy.strays]).toEqual([[], []]);
  });

  it('says what is wrong where its address lacks the last slash, so that no file is found', async () => {
    const { url } = await start(guarded);
    const { page } = await open(`${url}/try`);
    const told = page.getByText('its address ends with a slash');
    await page.goto(url);
    await page.getByRole('heading', { name: 'This gateway needs a credential' }).waitFor();
    expect(await told.isVisible()).toBe(false);
    await page.route(/dashboard\.(css|js)$/, (route) => route.fulfill({ status: 404 }));
    await page.goto(url);
    await told.waitFor();
  });

  it('the SDK works too, imported and connected by relative addresses', async () => {
    const { port } = await start(guarded);
    await publish('server:web-01', 11);
    const proxy = await opened(PrefixProxy.start('/deep/er/', port));
    const { page } = await open(`${proxy.url}healthz`);
    const credential = await token('server:*');
    await page.addScriptTag({
      type: 'module',
      content: `
        import { SluiceClient } from './client.js';
        const client = new SluiceClient('ws', { token: ${JSON.stringify(credential)} });
        client.subscribe('server:web-01').on('snapshot', (entries) => {
          document.title = JSON.stringify(entries.get('cpu').data);
        });
        client.connect();
      `,
    });
    await page.waitForFunction(() => document.title !== '');
    const heard: unknown = JSON.parse(await page.title());
    expect(heard).toEqual(cpu(11));
    expect(proxy.strays).toEqual([]);
  });
});
