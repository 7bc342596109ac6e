import type { z } from 'zod';
import type { ConfiguredKey } from '../config/api-keys.ts';
import type { namespaceEntrySchema } from '../config/namespaces.ts';
import type { Config, OptionName } from '../config/options.ts';

/** What an option may be given as: its value, or the text that a flag or variable would have. */
type GivenOption<T> = T extends readonly unknown[] ? string | readonly string[] : T | string;

/** Options of the command line only. */
type Unused = 'runFile';

/**
 * The options of the gateway, by the names of `src/config/OPTIONS.md`: `{ port: 0, connectionsMax: 100,
 * topicHistoryMaxBytes: '4MiB', namespaces: { job: { refreshMs: 30_000 } } }`. Neither variables nor a file are read.
 */
export type GatewayOptions = {
  readonly [N in Exclude<OptionName, Unused | 'apiKeys'>]?: GivenOption<Config[N]> | undefined;
} & {
  /** API keys that may publish, read and administer: texts as `sluice key` prints them, or objects. */
  readonly apiKeys?: string | readonly (string | ConfiguredKey)[] | undefined;
  /** Options of each namespace. */
  readonly namespaces?: Readonly<Record<string, z.input<typeof namespaceEntrySchema>>> | undefined;
};
