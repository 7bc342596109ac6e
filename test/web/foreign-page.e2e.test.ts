import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { makeCertificate } from '../support/certificate.ts';
import { startGateway } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Site, startSite } from '../support/site.ts';
import { newFolder } from '../support/temporary.ts';
import { connectionState } from './support/dashboard.ts';

let browser: TestBrowser;
let gateway: GatewayProcess;
let site: Site;
/** Of an origin that the gateway lists. */
let listed: Site;

beforeAll(async () => {
  site = await startSite('<!doctype html><title>Elsewhere</title><iframe name="sink"></iframe>');
  listed = await startSite('<!doctype html><title>Listed</title>');
  gateway = await GatewayProcess.start('--port', '0', '--origin', new URL(listed.url).origin);
  browser = await TestBrowser.launch({ ignoreHTTPSErrors: true });
});

afterAll(async () => {
  await browser.close();
  site.close();
  listed.close();
  await gateway.kill();
});

/** What a script of the other site tries to publish. */
const body = JSON.stringify({ topic: 'server:victim', type: 'test', key: 'cpu', data: 1 });

describe('a page of another origin', () => {
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

describe('a page of a listed origin', () => {
  it('may send what its libraries add, and read the response', async () => {
    const { page } = await browser.open(listed.url);
    const headers = { 'content-type': 'application/json', traceparent: '00-0-0-0', 'x-api-key': 'none' };
    const status = await page.evaluate(
      async ([target, payload, all]) =>
        fetch(`${target}/api/publish`, {
          method: 'POST',
          headers: JSON.parse(all as string) as Record<string, string>,
          body: payload as string,
        }).then((response) => response.status),
      [gateway.url, body, JSON.stringify(headers)],
    );
    expect(status).toBe(200);
  });

  it('gives its rights to no frame without an origin', async () => {
    const { page } = await browser.open(listed.url);
    const outcome = await page.evaluate(
      (target) =>
        new Promise<unknown>((resolve) => {
          const frame = document.createElement('iframe');
          frame.sandbox.add('allow-scripts');
          frame.srcdoc = `<script>
            const socket = new WebSocket('${(target as string).replace('http', 'ws')}/ws');
            socket.onopen = () => parent.postMessage('open', '*');
            socket.onclose = ({ code }) => parent.postMessage(code, '*');
          </script>`;
          addEventListener('message', ({ data }) => resolve(data));
          document.body.append(frame);
        }),
      gateway.url,
    );
    expect(outcome).toBe(1006);
  });
});

describe('the gateway’s own page, by TLS', () => {
  it('connects under its security policy', async () => {
    const folder = newFolder();
    const { cert, key } = makeCertificate(folder, 'page');
    const secure = await startGateway({ tlsCertFile: cert, tlsKeyFile: key });
    const { page, problems } = await browser.open(`https://127.0.0.1:${secure.port}/`);
    await connectionState(page, 'live');
    expect(problems).toEqual([]);
    await secure.close();
  });
});
