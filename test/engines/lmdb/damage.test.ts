import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkData } from '../../../src/engines/lmdb/check.ts';
import type { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import { ofTest } from '../../support/opened.ts';
import { factsOf, json, summary } from '../../topics/fixtures.ts';
import { bundle } from './crash/bundle.ts';
import { Feed, request, requests, StoredTopics } from './fixtures.ts';

let stored: StoredTopics;
let data: string;

/** The script of the check in one file: it starts in a tenth of the time that its source takes. */
let script: string;
beforeAll(async () => {
  script = await bundle(new URL('../../../src/engines/lmdb/check-process.ts', import.meta.url));
});
afterAll(() => rmSync(script));
const check = (folder: string, signal?: AbortSignal) => checkData(folder, signal, [script]);
beforeEach(() => {
  stored = ofTest(new StoredTopics());
  data = join(stored.folder, 'data.mdb');
});

const topics = Array.from({ length: 40 }, (_, i) => `topic-${i}`);
const pageBytes = 4096;

/** What the engine holds of all topics, as it says. */
async function contents(engine: LmdbEngine) {
  const all = await Promise.all(topics.map((topic) => engine.load(topic)));
  return all.map((topic) => topic?.publications.map(factsOf));
}

async function filled() {
  const { engine } = await stored.open();
  for (const topic of topics)
    await engine.append(
      requests(20, topic, (i) => ({ payload: json(`${topic} ${'payload '.repeat(20)} ${i}`) })),
    );
  const before = await contents(engine);
  await engine.close();
  return before;
}

/** All that was stored, or an error that names the file: never anything else, and never the end of this process. */
async function openedAgain(before: unknown): Promise<'whole' | 'refused'> {
  const engine = stored.make({ check });
  try {
    await engine.open(new Feed());
    expect(await contents(engine)).toEqual(before);
    return 'whole';
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_DATA_DIR_DAMAGED', message: expect.stringContaining(data) });
    return 'refused';
  } finally {
    await engine.close();
  }
}

describe('a damaged file', () => {
  test('with another byte in a payload is refused, and the topic named', async () => {
    const before = await filled();
    const bytes = readFileSync(data);
    // Pages that are not in use any more hold copies.
    const flip = () => {
      for (let at = bytes.indexOf('topic-7 '); at !== -1; at = bytes.indexOf('topic-7 ', at + 1))
        bytes[at + 10] = (bytes[at + 10] as number) ^ 1;
      writeFileSync(data, bytes);
    };
    flip();
    // With the check as the gateway runs it.
    const engine = stored.make();
    await expect(engine.open(new Feed())).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_DAMAGED',
      message: expect.stringMatching(/data\.mdb is damaged: publication of topic topic-7.*checksum/),
    });
    flip();
    expect(await openedAgain(before)).toBe('whole');
  });

  test.each([1, 3, 20])(
    'that is %d pages too short is refused, or whole where these held nothing',
    async (pages) => {
      const before = await filled();
      truncateSync(data, readFileSync(data).length - pages * pageBytes);
      const outcome = await openedAgain(before);
      if (pages === 20) expect(outcome).toBe('refused');
    },
  );

  test.each([
    ['zeros', (page: Uint8Array) => page.fill(0)],
    ['ones', (page: Uint8Array) => page.fill(255)],
    [
      'the page after it',
      (page: Uint8Array, all: Uint8Array, at: number) =>
        page.set(all.slice(at + pageBytes, at + 2 * pageBytes)),
    ],
  ])('with a page of %s is refused or whole, whichever page it is', async (_, damage) => {
    const before = await filled();
    const whole = readFileSync(data);
    const pages = whole.length / pageBytes;
    let refused = 0;
    for (let page = 0; page < pages - 1; page += Math.ceil(pages / 5)) {
      const bytes = Buffer.from(whole);
      damage(bytes.subarray(page * pageBytes, (page + 1) * pageBytes), bytes, page * pageBytes);
      writeFileSync(data, bytes);
      rmSync(join(stored.folder, 'lock.mdb'), { force: true });
      if ((await openedAgain(before)) === 'refused') refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe.each([false, true])('while the gateway runs (sync: %s)', (sync) => {
  test.each([
    ['the file is removed', () => rmSync(data)],
    [
      'the file is replaced',
      () => {
        renameSync(data, `${data}.old`);
        writeFileSync(data, readFileSync(`${data}.old`));
      },
    ],
    ['the folder is moved', () => renameSync(stored.folder, `${stored.folder}.moved`)],
  ])('and %s, nothing is acknowledged any more, and a warning names it', async (_, lose) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { engine, feed } = await stored.open({ sync });
    expect(summary(await engine.append([request('a')]))).toEqual([1]);
    lose();
    for (let i = 0; i < 2; i++)
      expect(summary(await engine.append([request('a')]))).toEqual(['engine_unavailable']);
    // Said once, however often it is noticed.
    expect(feed.causes.map((cause) => cause?.message)).toEqual([expect.stringContaining(data)]);
    expect(warned.mock.calls).toEqual([
      [expect.stringContaining(data), expect.objectContaining({ code: 'SLUICE_DATA_LOST' })],
    ]);
    warned.mockRestore();
    await engine.close();
    rmSync(`${stored.folder}.moved`, { recursive: true, force: true });
  });
});
