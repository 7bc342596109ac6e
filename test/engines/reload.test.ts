import { expect, it } from 'vitest';
import { LiveConfig, loadConfig } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createStorage } from '../../src/server/storage.ts';
import { newFolder } from '../support/temporary.ts';
import { Feed, request } from './lmdb/fixtures.ts';

it('lmdb keeps as much of the topics that it has as a reloaded configuration says', async () => {
  const dataDir = newFolder();
  const configOf = (topicHistoryMaxPublications: number) =>
    loadConfig({
      env: {},
      flags: { engine: 'lmdb', dataDir, topicHistoryMaxPublications: String(topicHistoryMaxPublications) },
    });
  const live = new LiveConfig(configOf(2));
  const { config } = live;
  const monotonicMs = () => performance.now();
  const { engine, reload } = await createStorage({ config, metrics: createMetrics(), monotonicMs });
  try {
    await engine.open(new Feed());
    const count = async () => {
      await engine.append([request('a', {}, Date.now())]);
      return (await engine.load('a'))?.publications.length;
    };
    expect([await count(), await count(), await count()]).toEqual([1, 2, 2]);
    live.take(configOf(100));
    reload();
    expect(await count()).toBe(4);
    live.take(configOf(1));
    reload();
    expect(await count()).toBe(1);
  } finally {
    await engine.close();
  }
});
