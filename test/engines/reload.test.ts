import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LiveConfig, loadConfig } from '../../src/config.ts';
import { engines } from '../../src/engines/engines.ts';
import { Feed, request } from './lmdb/fixtures.ts';

it('lmdb keeps as much of the topics that it has as a reloaded configuration says', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
  const configOf = (topicHistoryMaxPublications: number) =>
    loadConfig({
      env: {},
      flags: { engine: 'lmdb', dataDir, topicHistoryMaxPublications: String(topicHistoryMaxPublications) },
    });
  const live = new LiveConfig(configOf(2));
  const engine = await (await engines.lmdb())(live.config);
  try {
    await engine.open(new Feed());
    const count = async () => {
      await engine.append([request('a', {}, Date.now())]);
      return (await engine.load('a'))?.publications.length;
    };
    expect([await count(), await count(), await count()]).toEqual([1, 2, 2]);
    live.take(configOf(100));
    expect(await count()).toBe(4);
    live.take(configOf(1));
    expect(await count()).toBe(1);
  } finally {
    await engine.close();
    rmSync(dataDir, { recursive: true });
  }
});
