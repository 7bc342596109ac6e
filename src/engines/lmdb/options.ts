import type { AcknowledgedLimits } from '../../topics/acknowledged.ts';
import type { MessageIdLimits } from '../../topics/message-id-budget.ts';
import type { Retention } from './head.ts';
import type { Store } from './store.ts';

export interface LmdbOptions {
  /** The data folder, created if needed. */
  readonly dataDir: string;
  /** Acknowledge publications only when they are on disk. */
  readonly sync: boolean;
  readonly retention: (topic: string) => Retention;
  /** Allow file systems on which two gateways could use the folder at once. */
  readonly anyFileSystem?: boolean;
  /** Maximum numberings kept of topics without content. */
  readonly numberingsMax?: number;
  readonly messageIds?: MessageIdLimits;
  readonly acknowledged?: AcknowledgedLimits;
  /** Maximum bytes of the stored publications of all topics. Above it the longest idle topics lose theirs. */
  readonly historyMaxBytes: number;
  /** Milliseconds since 1970 on a clock that does not jump. */
  readonly nowMs?: () => number;
  /** Boot id of the running kernel. */
  readonly bootId?: string;
  /** Checks everything that is stored after an unclean end. Rejects if something is damaged. */
  readonly check?: (folder: string, signal?: AbortSignal) => Promise<void>;
  /** Returns how many bytes may still be written to the disk of this folder. */
  readonly freeBytes?: (folder: string) => number;
  readonly openStore?: (folder: string, sync: boolean) => Store;
}
