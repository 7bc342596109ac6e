import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { TestBrowser } from '../../support/browser.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { ofTest, opened } from '../../support/opened.ts';

/** A browser for the tests of a file, and what each of them opens and starts, which ends with it. */
export function useDashboard() {
  let browser: TestBrowser;
  let url: string;

  beforeAll(async () => {
    browser = await TestBrowser.launch();
  });

  afterAll(() => browser.close());

  return {
    async start(...options: Parameters<typeof startGateway>): Promise<TestGateway> {
      const started = await opened(startGateway(...options));
      url = started.url;
      return started;
    },
    /** As a process of its own, which can be killed. */
    async startProcess(...flags: readonly string[]): Promise<GatewayProcess> {
      const started = await opened(GatewayProcess.start('--port', '0', ...flags));
      url = started.url;
      return started;
    },
    /** To the gateway that was started last. */
    async publish(topic: string, type: string, key: string, data: unknown, headers = {}): Promise<void> {
      const response = await fetch(`${url}/api/publish`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ topic, type, key, data }),
      });
      if (!response.ok) throw new Error(await response.text());
    },
    async open(url: string) {
      const page = await browser.open(url);
      ofTest(page.page);
      return page;
    },
  };
}

/** A value of the host source. */
export const cpu = (value: number) => ({ monitoring_type: 'cpu', value, unit: '%', level: 'ok' });

export const connectionState = (page: Page, name: string) =>
  page.locator(`#connection[data-state=${name}]`).waitFor();
