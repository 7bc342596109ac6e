import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Site, startSite } from '../support/site.ts';

let browser: TestBrowser;
let gateway: GatewayProcess;
let site: Site;

beforeAll(async () => {
  gateway = await GatewayProcess.start('--port', '0');
  site = await startSite('<!doctype html><title>Elsewhere</title><iframe name="sink"></iframe>');
  browser = await TestBrowser.launch();
}, 60_000);

afterAll(async () => {
  await browser.close();
  site.close();
  await gateway.kill();
});

/** What a script of the other site tries to publish. */
const body = JSON.stringify({ topic: 'server:victim', type: 'test', key: 'cpu', data: 1 });

describe('a page of another origin', { timeout: 60_000 }, () => {
  it('cannot publish with JSON, because its preflight is refused', async () => {
    const { page } = await browser.open(site.url);
    const outcome = await page.evaluate(
      async ([target, payload]) => {
        const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: payload };
        return fetch(`${target}/api/publish`, request).then(
          ({ status }) => `status ${status}`,
          () => 'blocked',
        );
      },
      [gateway.url, body],
    );
    expect(outcome).toBe('blocked');
    expect(await gateway.metric('sluice_publications_total')).toBe(0);
  });

  it('cannot publish with a simple request, which needs no preflight', async () => {
    const { page } = await browser.open(site.url);
    const response = page.waitForResponse((response) => response.url().endsWith('/api/publish'));
    await page.evaluate(
      async ([target, payload]) => {
        const request = {
          method: 'POST',
          mode: 'no-cors',
          headers: { 'content-type': 'text/plain' },
          body: payload,
        } as const;
        await fetch(`${target}/api/publish`, request);
      },
      [gateway.url, body],
    );
    expect((await response).status()).toBe(403);
    expect(await gateway.metric('sluice_publications_total')).toBe(0);
  });

  it('cannot publish with a form', async () => {
    const { page } = await browser.open(site.url);
    const response = page.waitForResponse((response) => response.url().endsWith('/api/publish'));
    await page.evaluate(
      ([target, payload]) => {
        const form = document.createElement('form');
        form.method = 'post';
        form.action = `${target}/api/publish`;
        form.enctype = 'text/plain';
        form.target = 'sink';
        const field = document.createElement('input');
        // With text/plain a form sends name=value: together they are JSON again.
        field.name = (payload as string).slice(0, -1);
        field.value = '"}';
        form.append(field);
        document.body.append(form);
        form.submit();
      },
      [gateway.url, `${body.slice(0, -1)},"x":"}`],
    );
    expect((await response).status()).toBe(403);
    expect(await gateway.metric('sluice_publications_total')).toBe(0);
  });

  it('cannot open a WebSocket', async () => {
    const { page } = await browser.open(site.url);
    const outcome = await page.evaluate(
      (target) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(`${(target as string).replace('http', 'ws')}/ws`);
          socket.onopen = () => resolve('open');
          socket.onclose = ({ code }) => resolve(`closed ${code}`);
        }),
      gateway.url,
    );
    expect(outcome).toBe('closed 1006');
    expect(await gateway.metric('sluice_publications_total')).toBe(0);
  });

  it('leaves nothing published', async () => {
    const listed = (await (await fetch(`${gateway.url}/api/topics`)).json()) as {
      topics: { topic: string }[];
    };
    expect(listed.topics.filter(({ topic }) => topic.includes('victim'))).toEqual([]);
  });
});
