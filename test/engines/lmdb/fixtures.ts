import { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import type { Retention } from '../../../src/engines/lmdb/head.ts';
import type { LmdbOptions } from '../../../src/engines/lmdb/options.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import type { AppendRequest, EngineFeed, StoredTopic } from '../../../src/topics/engine.ts';
import type { StoredPublication } from '../../../src/topics/publication.ts';
import { newFolder } from '../../support/temporary.ts';
import { FakeClock, fields } from '../../topics/fixtures.ts';

export const retention: Retention = {
  mode: 'stream',
  maxPublications: 100,
  maxBytes: 2 ** 20,
  maxAgeMs: 3_600_000,
};

export class Feed implements EngineFeed {
  readonly fed: StoredPublication[] = [];
  readonly causes: (Error | undefined)[] = [];

  appended(_topic: string, _epoch: string, publications: readonly StoredPublication[]): void {
    this.fed.push(...publications);
  }

  reset(): void {}

  degraded(cause: Error | undefined): void {
    this.causes.push(cause);
  }
}

type More = Partial<Omit<LmdbOptions, 'retention'>> & { readonly retention?: Partial<Retention> };

/** Engines of one folder, one after the other. */
export class StoredTopics {
  readonly folder = newFolder();
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly #open = new Set<LmdbEngine>();

  make({ retention: own, ...more }: More = {}): LmdbEngine {
    return new LmdbEngine({
      dataDir: this.folder,
      sync: false,
      historyMaxBytes: 2 ** 28,
      nowMs: this.clock.read,
      retention: () => ({ ...retention, ...own }),
      ...more,
    });
  }

  async open(more: More = {}): Promise<{ engine: LmdbEngine; feed: Feed }> {
    const engine = this.make(more);
    const feed = new Feed();
    await engine.open(feed);
    this.#open.add(engine);
    return { engine, feed };
  }

  async close(): Promise<void> {
    for (const engine of this.#open) await engine.close();
  }
}

export function request(
  topic: string,
  more: Partial<PublishFields> = {},
  publishedAtMs = 1_700_000_000_000,
): AppendRequest {
  return { fields: fields(topic, more), publishedAtMs, acceptedAtMs: 1 };
}

export function requests(
  count: number,
  topic: string,
  more: (i: number) => Partial<PublishFields> = () => ({}),
) {
  return Array.from({ length: count }, (_, i) => request(topic, more(i)));
}

export async function loaded(engine: LmdbEngine, topic: string): Promise<StoredTopic> {
  const stored = await engine.load(topic);
  if (stored === undefined) throw new Error(`nothing stored of ${topic}`);
  return stored;
}

export function offsets({ publications }: Pick<StoredTopic, 'publications'>): number[] {
  return publications.map(({ offset }) => offset);
}

/** A store whose commits fail when it is told to. */
export function failingStore() {
  const faults = { fail: undefined as Error | undefined, openFails: false, afterCommit: false };
  class FailingStore extends Store {
    override async commit<T>(work: () => T): Promise<T> {
      if (faults.fail !== undefined && !faults.afterCommit) {
        return super.commit(() => {
          work();
          throw faults.fail;
        });
      }
      const result = await super.commit(work);
      if (faults.fail !== undefined) throw faults.fail;
      return result;
    }
  }
  const openStore = (folder: string, sync: boolean): Store => {
    if (faults.openFails) throw new Error('cannot be opened');
    return new FailingStore(folder, sync);
  };
  return { faults, openStore };
}
