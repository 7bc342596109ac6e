import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { faintTexts } from './support/contrast.ts';
import { useDashboard } from './support/dashboard.ts';

const dashboard = useDashboard();
const { start, open } = dashboard;

const state = (page: Page, name: string) => page.locator(`#state[data-state=${name}]`).waitFor();
const figure = (page: Page, id: string, text: string) =>
  page.locator(`#${id}`).getByText(text, { exact: true }).waitFor();
const contents = (page: Page) => page.locator('#frames tr[data-kind=frame] td:last-child').allTextContents();

const isWrongWidth = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

async function connect(page: Page, transport: string): Promise<void> {
  await page.getByLabel('Transport').selectOption(transport);
  await page.getByRole('button', { name: 'Connect' }).click();
  await state(page, 'connected');
}

describe('the page to try everything by hand', () => {
  it('subscribes, publishes, is cut and recovers, by each transport', async () => {
    const gateway = await start();
    const { page, problems } = await open(`${gateway.url}/try`);
    for (const transport of ['sdk', 'json', 'sse', 'poll']) {
      const topic = `try-${transport}`;
      for (const form of ['#subscribe', '#publish']) await page.locator(`${form} [name=topic]`).fill(topic);
      await expect.poll(() => gateway.metric('sluice_subscriptions')).toBe(0);
      await connect(page, transport);
      await page.getByLabel('Data (JSON)').fill('"first"');
      await expect.poll(() => gateway.metric('sluice_subscriptions')).toBeGreaterThanOrEqual(2);
      await page.getByRole('button', { name: 'Publish' }).click();
      await figure(page, 'count', '1');
      await page.locator('#round-trip').getByText('ms').waitFor();
      expect(await page.textContent('#published')).toMatch(
        /^Offset 1 of epoch .+, acknowledged in [\d.]+ ms$/,
      );
      expect(await contents(page)).toContain('"first"');

      await page.getByRole('button', { name: 'Cut' }).click();
      await state(page, 'lost');
      await dashboard.publish(topic, 'missed', 'k', 'while it was away');
      await state(page, 'connected');
      await figure(page, 'count', '2');
      expect(await contents(page)).toContain('"while it was away"');
      const figures = await page.locator('#repeats, #gaps, #reconnects').allTextContents();
      expect([transport, ...figures]).toEqual([transport, '0', '0', '1']);
      await page.getByRole('button', { name: 'Close' }).click();
      await state(page, 'idle');
    }
    expect(problems).toEqual([]);
  });

  it('shows coverage under a filter, and names what is wrong with the input', async () => {
    const gateway = await start();
    const { page } = await open(`${gateway.url}/try`);
    const filter = page.locator('[name=filter]');
    await filter.fill('{');
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByText('filter is not JSON').waitFor();
    await filter.fill('{"op":"eq","tag":"region","value":"eu"}');
    await connect(page, 'json');
    await expect.poll(() => gateway.metric('sluice_subscriptions')).toBeGreaterThanOrEqual(2);
    await page.getByLabel('Data (JSON)').fill('null');
    for (const tags of ['{"region":"us"}', '{"region":"eu"}']) {
      await page.getByLabel('Tags (JSON)').fill(tags);
      await page.getByRole('button', { name: 'Publish' }).click();
      await page.getByText(`Offset ${tags.includes('us') ? 1 : 2} of epoch`).waitFor();
    }
    await figure(page, 'count', '1');
    expect((await page.locator('#frames td:nth-child(4)').allTextContents()).join()).toMatch(/\([01], 2\]/);
    expect(await contents(page)).toContain('null');
    expect(await page.textContent('#gaps')).toBe('0');
    await page.getByLabel('Data (JSON)').fill('{');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('data is not JSON').waitFor();
  });

  it('says why it was refused, and takes a key by hand', async () => {
    const key = 'a-key-of-some-length';
    const gateway = await start({ apiKeys: [key] });
    const { page } = await open(`${gateway.url}/try`);
    for (const transport of ['sdk', 'json', 'sse', 'poll']) {
      await page.getByLabel('Transport').selectOption(transport);
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.locator('#state[data-state=ended]').getByText('unauthorized').waitFor();
    }
    await page.getByLabel('Token or API key').fill(key);
    await page.locator('[name=filter]').fill('{"op":"like"}');
    for (const transport of ['sse', 'poll']) {
      await page.getByLabel('Transport').selectOption(transport);
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.locator('#state').getByText('invalid_filter').waitFor();
    }
    await page.locator('[name=filter]').fill('');
    for (const transport of ['sdk', 'json', 'sse', 'poll']) await connect(page, transport);
  });

  it('takes no response of another server for one of the gateway', async () => {
    const { url } = await start();
    const { page } = await open(`${url}/try`);
    const ok = { status: 200, contentType: 'application/json', body: '{"status":"ok"}' };
    for (const response of [{ status: 204 }, ok]) {
      await page.route(/\/poll\?/, (route) => route.fulfill(response));
      await page.getByLabel('Transport').selectOption('poll');
      await page.getByRole('button', { name: 'Connect' }).click();
      await state(page, 'lost');
      await page.unroute(/\/poll\?/);
      await state(page, 'connected');
      await page.getByRole('button', { name: 'Close' }).click();
    }
    await connect(page, 'poll');
    await page.getByLabel('Data (JSON)').fill('1');
    await page.route('**/api/publish', (route) => route.fulfill(ok));
    await page.locator('#publish [name=topic]').fill('try');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('another server has responded').waitFor();
  });

  it('can be read, and fits the narrowest screen', async () => {
    const { url } = await start();
    const { page } = await open(`${url}/try`);
    await connect(page, 'json');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await faintTexts(page, 4.5)).toEqual([]);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await isWrongWidth(page)).toBe(false);
    const state = page.locator('#state');
    expect(
      await state.evaluate((shown) => {
        shown.textContent = 'Ended: a token or an API key is needed (unauthorized)';
        return shown.scrollWidth > shown.clientWidth;
      }),
    ).toBe(false);
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.locator('#published').getByText('Offset 1').waitFor();
    const [form, answer] = await Promise.all(
      ['#publish', '#published'].map((each) => page.locator(each).boundingBox()),
    );
    expect(answer!.y).toBeGreaterThan(form!.y);
    expect(answer!.y + answer!.height).toBeLessThan(form!.y + form!.height);
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll('input, select')].filter(
          (each) => !(each as HTMLInputElement).labels?.length,
        ).length,
    );
    expect(unnamed).toBe(0);
  });
});
