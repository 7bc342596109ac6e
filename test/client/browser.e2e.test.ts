import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SluiceClient } from '../../src/client/index.ts';
import { TestBrowser } from '../support/browser.ts';
import { GatewayProcess, lastingPort } from '../support/gateway-process.ts';
import { type Site, startSite } from '../support/site.ts';

const bundle = new URL('../../dist/web/client.js', import.meta.url);

let browser: TestBrowser;
let gateway: GatewayProcess;
let port: number;
/** Another server, whose pages come with the SDK. */
let site: Site;
let files: Parameters<typeof startSite>[1];

beforeAll(async () => {
  port = await lastingPort();
  gateway = await GatewayProcess.start('--port', String(port));
  files = { '/client.js': { type: 'text/javascript', content: await readFile(bundle, 'utf8') } };
  site = await startSite('<!doctype html><title>Elsewhere</title>', files);
  browser = await TestBrowser.launch();
});

afterAll(async () => {
  await browser.close();
  site.close();
  await gateway.kill();
});

type Sdk = typeof import('../../src/client/index.ts');
type Window = typeof globalThis & { sdk: Sdk; client: SluiceClient };

async function openWithSdk(url: string): Promise<Page> {
  const { page } = await browser.open(url);
  await page.addScriptTag({ type: 'module', content: `globalThis.sdk = await import('/client.js')` });
  await page.waitForFunction(() => 'sdk' in globalThis);
  return page;
}

/** How connecting ends in a page: by the promise, by the first error that is told, and in which state. */
function connecting(page: Page, url: string): Promise<{ rejected: string; told: string; state: string }> {
  return page.evaluate(async (target) => {
    const client = new (globalThis as Window).sdk.SluiceClient(target);
    const told = new Promise<string>((resolve) => client.onError(({ code }) => resolve(code)));
    const rejected = await client.connect().then(
      () => 'connected',
      ({ code }: { code: string }) => code,
    );
    const { state } = client.getStatus();
    const outcome = { rejected, told: await told, state };
    client.close();
    return outcome;
  }, url);
}

describe('a page is told why its client does not connect', () => {
  it('where its origin is not listed: it may not read the response, but learns that there is one', async () => {
    const page = await openWithSdk(site.url);
    const code = 'answer_hidden';
    expect(await connecting(page, `ws://127.0.0.1:${port}/ws`)).toEqual({
      rejected: code,
      told: code,
      state: 'reconnecting',
    });
  });

  it('where the gateway is absent', async () => {
    const closed = await lastingPort();
    const page = await openWithSdk(site.url);
    const code = 'gateway_unreachable';
    expect(await connecting(page, `ws://127.0.0.1:${closed}/ws`)).toEqual({
      rejected: code,
      told: code,
      state: 'reconnecting',
    });
  });

  it('where another server responds', async () => {
    const page = await openWithSdk(site.url);
    const code = 'not_a_gateway';
    expect(await connecting(page, '/ws')).toEqual({ rejected: code, told: code, state: 'reconnecting' });
  });

  it('where another server responds, and not to this page', async () => {
    const page = await openWithSdk(`http://127.0.0.1:${port}/healthz`);
    const code = 'answer_hidden';
    expect(await connecting(page, site.url)).toEqual({ rejected: code, told: code, state: 'reconnecting' });
  });

  it('where its own Content-Security-Policy blocks the gateway', async () => {
    const policy = { 'content-security-policy': "connect-src 'self'" };
    const strict = await startSite('<!doctype html><title>Strict</title>', files, policy);
    onTestFinished(() => strict.close());
    const page = await openWithSdk(strict.url);
    const url = `ws://127.0.0.1:${port}/ws`;
    // Of a WebSocket that it blocks, Chromium reports an error and no end. The attempt must not wait for its timeout.
    const told = await page.evaluate(
      (target) =>
        new Promise<readonly string[]>((resolve) => {
          const { SluiceClient } = (globalThis as Window).sdk;
          const client = new SluiceClient(target, { connectTimeoutMs: 3_600_000 });
          client.onError(({ code, message }) => resolve([code, message]));
          client.connect().catch(() => undefined);
        }),
      url,
    );
    expect(told).toEqual([
      'gateway_unreachable',
      `The page's Content-Security-Policy (connect-src) allows no request to ${url.replace('ws', 'http')}.`,
    ]);
  });

  it('where that allows the WebSocket alone, and keeps trying', async () => {
    const page = await openWithSdk(site.url);
    await page.evaluate((allowed) => {
      const policy = document.createElement('meta');
      policy.httpEquiv = 'Content-Security-Policy';
      policy.content = `connect-src ${allowed}`;
      document.head.append(policy);
    }, `ws://127.0.0.1:${port}`);
    // The gateway refuses the origin of this page.
    const code = 'gateway_unreachable';
    const url = `ws://127.0.0.1:${port}/ws`;
    expect(await connecting(page, url)).toEqual({ rejected: code, told: code, state: 'reconnecting' });
  });

  it('where the path is wrong', async () => {
    const page = await openWithSdk(`http://127.0.0.1:${port}/healthz`);
    const code = 'not_found';
    expect(await connecting(page, '/nowhere')).toEqual({ rejected: code, told: code, state: 'closed' });
  });
});

describe('a page whose network comes back', () => {
  it('is connected at once, however long its client would still have waited', async () => {
    const page = await openWithSdk(`http://127.0.0.1:${port}/healthz`);
    await page.evaluate(async () => {
      const client = new (globalThis as Window).sdk.SluiceClient('/ws', {
        reconnect: { delaysMs: [3_600_000] },
      });
      (globalThis as Window).client = client;
      client.onError(() => {});
      await client.connect();
    });
    const until = (wanted: string) =>
      page.waitForFunction((state) => (globalThis as Window).client.getStatus().state === state, wanted);
    await gateway.kill();
    await until('reconnecting');
    gateway = await GatewayProcess.start('--port', String(port));
    // The event may come before the network of the browser is back: then its one attempt fails.
    const state = () => page.evaluate(() => (globalThis as Window).client.getStatus().state);
    const networkReturns = async () => {
      await page.context().setOffline(true);
      await page.context().setOffline(false);
    };
    await networkReturns();
    await expect
      .poll(
        async () => {
          if ((await state()) === 'reconnecting') await networkReturns();
          return state();
        },
        { interval: 500 },
      )
      .toBe('connected');
    const attempts = await page.evaluate(() => (globalThis as Window).client.getStats().connects);
    expect(attempts).toBe(2);
  });
});
