import { totalmem } from 'node:os';
import type { Config } from '../config.ts';

/** A topic takes 2 KiB, with its first publication; 4 KiB in a data folder, of which the kernel may free a part. */
const topicBytes = 3 * 1024;

/** What may be filled by clients and topics, by option; how often each counts. */
const parts = {
  topicsMax: topicBytes,
  historyMaxBytes: 1,
  backpressureTotalMaxBytes: 1,
  // Bodies that come, and responses that are unread.
  requestsMaxBytes: 2,
  messageIdsMaxBytes: 1,
  presenceMaxBytes: 1,
} as const satisfies { readonly [Option in keyof Config]?: number };

/** The memory of the process without clients. */
const ownBytes = 100 * 2 ** 20;

/** What the process may use: its container's limit, or what the machine has. */
export function memoryLimitBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Returns what to warn of where the limits of the configuration allow more memory than there is. */
export function memoryProblem(
  config: Pick<Config, keyof typeof parts | 'workers'>,
  limitBytes = memoryLimitBytes(),
): string | undefined {
  // Each worker has the histories, and its own clients.
  const processes = config.workers > 1 ? config.workers + 1 : 1;
  const names = Object.keys(parts) as (keyof typeof parts)[];
  const each = names.reduce((sum, name) => sum + parts[name] * config[name], ownBytes);
  if (each * processes <= limitBytes) return undefined;
  const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  return (
    `these limits allow more memory than this process may use (${mib(each * processes)}, and ${mib(limitBytes)}): ` +
    `lower ${names.join(', ')}, or it may be ended when clients fill them`
  );
}
