import { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import { engineContract } from '../contract.ts';
import { temporaryFolder } from './fixtures.ts';

for (const sync of [false, true]) {
  engineContract(sync ? 'lmdb with --sync' : 'lmdb', () => {
    const { folder, remove } = temporaryFolder();
    return {
      make: ({ nowMs, ring, isState, numberingsMax, messageIds, acknowledged }) =>
        new LmdbEngine({
          dataDir: folder,
          sync,
          nowMs,
          numberingsMax,
          messageIds,
          acknowledged,
          historyMaxBytes: 2 ** 28,
          retention: (topic) => ({ ...ring, mode: isState(topic) ? 'state' : 'stream' }),
        }),
      cleanUp: remove,
    };
  });
}
