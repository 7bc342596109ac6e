import type { AcknowledgedLimits } from '../../topics/acknowledged.ts';
import type { MessageIdLimits } from '../../topics/message-id-budget.ts';
import type { Retention } from './head.ts';
import type { Store } from './store.ts';

export interface LmdbOptions {
  /** A folder of its own, which is made if need be. */
  readonly dataDir: string;
  /** Whether an acknowledged publication is on the disk. */
  readonly sync: boolean;
  readonly retention: (topic: string) => Retention;
  /** Also on file systems where two gateways could use the folder at once. */
  readonly anyFileSystem?: boolean;
  /** Numberings of topics without content that are kept. */
  readonly numberingsMax?: number;
  readonly messageIds?: MessageIdLimits;
  readonly acknowledged?: AcknowledgedLimits;
  /** For the stored publications of all topics. Beyond it the longest idle topics lose theirs. */
  readonly historyMaxBytes: number;
  /** Milliseconds since 1970 on a clock that does not jump. */
  readonly nowMs?: () => number;
  /** Of the running kernel. */
  readonly bootId?: string;
  /** Reads everything that is stored, after an end that was not in order. Rejects if something is damaged. */
  readonly check?: (folder: string, signal?: AbortSignal) => Promise<void>;
  /** What may still be written to the disk of this folder. */
  readonly freeBytes?: (folder: string) => number;
  readonly openStore?: (folder: string, sync: boolean) => Store;
}
