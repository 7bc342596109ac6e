import { newEpoch } from './head.ts';
import { engineKey, kindRange, nameOfHeadKey } from './keys.ts';
import { decodeEngine, decodeHead, RecordWriter } from './records.ts';
import type { Store } from './store.ts';
import { namingTopic } from './topic-reader.ts';

const topicsPerCommit = 1000;

/**
 * Gives each topic and the numbering of commits a new epoch, so that no client continues by a position or a cursor that
 * it got elsewhere. Offsets and contents stay. If it was interrupted, run it again.
 */
export async function renumber(store: Store, signal?: AbortSignal): Promise<void> {
  const writer = new RecordWriter();
  const engine = store.get(engineKey);
  if (engine !== undefined) {
    const record = writer.engine({ ...decodeEngine(engine), epoch: newEpoch() });
    await store.commit(() => store.put(engineKey, record));
  }
  const keys = store.keys(kindRange('head'));
  for (let from = 0; from < keys.length; from += topicsPerCommit) {
    signal?.throwIfAborted();
    await store.commit(() => {
      for (const key of keys.slice(from, from + topicsPerCommit)) renumberTopic(store, key, writer);
    });
  }
}

function renumberTopic(store: Store, key: Buffer, writer: RecordWriter): void {
  const headBytes = store.get(key);
  if (headBytes === undefined) return;
  const record = namingTopic(store, nameOfHeadKey(key), () => decodeHead(headBytes));
  store.put(key, writer.head({ ...record, epoch: newEpoch() }));
}
