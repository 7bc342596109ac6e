import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { TestBrowser } from '../../support/browser.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';

/** A browser for the tests of a file, and what each of them opens and starts, which ends with it. */
export function useDashboard() {
  let browser: TestBrowser;
  let gateway: GatewayProcess;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    browser = await TestBrowser.launch();
  }, 60_000);

  afterAll(() => browser.close());

  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each.close();
  });

  function keep<T extends { close(): unknown }>(each: T): T {
    opened.push(each);
    return each;
  }

  return {
    keep,
    /** The one that was started last. */
    get gateway() {
      return gateway;
    },
    async start(...flags: readonly string[]): Promise<GatewayProcess> {
      const started = await GatewayProcess.start('--port', '0', ...flags);
      keep({ close: () => started.kill() });
      gateway = started;
      return started;
    },
    async open(url: string) {
      const page = await browser.open(url);
      keep(page.page);
      return page;
    },
  };
}

/** A value of the host source. */
export const cpu = (value: number) => ({ monitoring_type: 'cpu', value, unit: '%', level: 'ok' });

export const connectionState = (page: Page, name: string) =>
  page.locator(`#connection[data-state=${name}]`).waitFor();
