import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { lastingPort } from '../support/gateway-process.ts';
import { cpu, connectionState as state, useDashboard } from './support/dashboard.ts';

const dashboard = useDashboard();
const { start, startProcess, open } = dashboard;

const hostSource = { sourceHost: true, sourceHostIntervalMs: 200 };

/** Waits until the text of an element changes; returns the new one. */
async function changed(page: Page, selector: string, before: string | null): Promise<string | null> {
  await page.waitForFunction(
    ([query, text]) => document.querySelector(query as string)?.textContent !== text,
    [selector, before],
  );
  return page.textContent(selector);
}

describe('the dashboard', () => {
  it('shows values of this machine that change by themselves', async () => {
    const { url } = await start(hostSource);
    const { page, problems } = await open(url);
    await state(page, 'live');
    for (const type of ['cpu', 'memory', 'load', 'disk', 'network']) {
      await changed(page, `[data-type=${type}] .headline .value`, '–');
      await page.locator(`[data-type=${type}] .badge:not([data-level=none])`).waitFor();
    }
    const received = '[data-figure=received] .value';
    const first = await changed(page, received, '0');
    await changed(page, received, first);
    await changed(page, '[data-figure=latency] .value', '–');
    await changed(page, '[data-figure=roundTrip] .value', '–');
    expect(await page.locator('.changes li time').count()).toBeGreaterThanOrEqual(5);
    expect(problems).toEqual([]);
  });

  it('notices that the gateway was killed, keeps what it shows, and recovers by itself', async () => {
    const flags = [
      '--port',
      String(await lastingPort()),
      '--source-host',
      '--source-host-interval-ms',
      '200',
    ];
    const gateway = await startProcess(...flags);
    const { url } = gateway;
    const { page, problems } = await open(url);
    await state(page, 'live');
    const memory = await changed(page, '[data-type=memory] .headline .value', '–');
    await gateway.kill();
    await state(page, 'reconnecting');
    await page.locator('#banner').getByText('The connection was lost').waitFor();
    await page
      .locator('#banner')
      .getByText(/Attempt \d+/)
      .waitFor();
    expect(await page.textContent('[data-type=memory] .headline .value')).toMatch(/^\d/);
    expect(memory).toMatch(/^\d/);
    await startProcess(...flags);
    await state(page, 'live');
    await page.locator('#banner').waitFor({ state: 'hidden' });
    expect(await page.textContent('[data-figure=reconnects] .value')).toBe('1');
    const received = await page.textContent('[data-figure=received] .value');
    await changed(page, '[data-figure=received] .value', received);
    expect(problems).toEqual([]);
  });

  it('explains itself while no server publishes, and shows the first one that does', async () => {
    const { url } = await start();
    const { page } = await open(url);
    await page.getByRole('heading', { name: 'No server is publishing yet' }).waitFor();
    expect(await page.locator('.command').allTextContents()).toEqual([
      expect.stringContaining('--source-host'),
      expect.stringContaining(`curl ${url}/api/publish`),
    ]);
    await dashboard.publish('server:demo', 'monitoring_update', 'cpu', cpu(42));
    await page.locator('[data-type=cpu] .headline').getByText('42.0').waitFor();
    expect(await page.textContent('#server')).toBe('demo');
    await page.locator('[data-type=disk]').getByText('No samples yet').waitFor();
  });

  it('lets choose between servers', async () => {
    const { url } = await start();
    await dashboard.publish('server:a', 'monitoring_update', 'cpu', cpu(11));
    await dashboard.publish('server:b', 'monitoring_update', 'cpu', cpu(22));
    const { page } = await open(url);
    await page.locator('[data-type=cpu] .headline').getByText('11.0').waitFor();
    await page.getByLabel('Server').selectOption('b');
    await page.locator('[data-type=cpu] .headline').getByText('22.0').waitFor();
    const { page: direct } = await open(`${url}/?topic=server:b`);
    await direct.locator('[data-type=cpu] .headline').getByText('22.0').waitFor();
  });

  it('shows a change of level in the badge and in the list', async () => {
    const { url } = await start();
    await dashboard.publish('server:a', 'monitoring_update', 'cpu', cpu(11));
    const { page } = await open(url);
    await page.locator('[data-type=cpu] .badge[data-level=ok]').waitFor();
    await dashboard.publish('server:a', 'monitoring_update', 'cpu', {
      ...cpu(97),
      level: 'critical',
    });
    const change = { monitoring_type: 'cpu', from: 'ok', to: 'critical', value: 97, unit: '%' };
    await dashboard.publish('server:a', 'status_change', 'status:cpu', change);
    await page.locator('[data-type=cpu] .badge').getByText('Critical').waitFor();
    await page.locator('.changes li').getByText('97 %').waitFor();
  });

  it('says why when the gateway refuses it', async () => {
    const { url } = await start();
    const { page } = await open(`${url}/#token=not-a-token`);
    await state(page, 'refused');
    const alert = page.getByRole('alert');
    await alert.getByText('The gateway refused the connection').waitFor();
    expect(await alert.textContent()).toMatch(/unauthorized/);
  });

  it('is readable on a phone', async () => {
    const { url } = await start(hostSource);
    const { page } = await open(url);
    await page.setViewportSize({ width: 390, height: 844 });
    await changed(page, '[data-type=cpu] .headline .value', '–');
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(390);
    const plot = await page.locator('[data-type=cpu] canvas').boundingBox();
    expect(plot?.width).toBeGreaterThan(250);
  });
});
