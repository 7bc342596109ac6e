import { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import { newFolder } from '../../support/temporary.ts';
import { engineContract } from '../contract.ts';

for (const sync of [false, true]) {
  engineContract(sync ? 'lmdb with --sync' : 'lmdb', () => {
    const dataDir = newFolder();
    return ({ nowMs, ring, isState, numberingsMax, messageIds, acknowledged }) =>
      new LmdbEngine({
        dataDir,
        sync,
        nowMs,
        numberingsMax,
        messageIds,
        acknowledged,
        historyMaxBytes: 2 ** 28,
        retention: (topic) => ({ ...ring, mode: isState(topic) ? 'state' : 'stream' }),
      });
  });
}
