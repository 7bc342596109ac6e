import type { Namespaces } from './namespaces.ts';
import { accessOptions } from './options/access.ts';
import { applicationOptions } from './options/application.ts';
import { compatOptions } from './options/compat.ts';
import { connectionsOptions } from './options/connections.ts';
import { deliveryOptions } from './options/delivery.ts';
import { listeningOptions } from './options/listening.ts';
import { monitoringOptions } from './options/monitoring.ts';
import type { Spec } from './options/option.ts';
import { storageOptions } from './options/storage.ts';

/**
 * Every option: its name, default, allowed values and purpose. Flags, variables, help, OPTIONS.md and the type `Config`
 * come from here, so a new option is one new entry, in the table of its group.
 */
const optionTable = {
  ...listeningOptions,
  ...accessOptions,
  ...connectionsOptions,
  ...storageOptions,
  ...deliveryOptions,
  ...compatOptions,
  ...applicationOptions,
  ...monitoringOptions,
} as const;

type Table = typeof optionTable;
export type OptionName = keyof Table;

/** New name -> old name. Flag, variable and file key of the old name work for one more version, with a warning. */
const oldNames = {
  topicHistoryMaxPublications: 'ringMaxPublications',
  topicHistoryMaxAgeSeconds: 'ringMaxAgeSeconds',
  topicHistoryMaxBytes: 'ringMaxBytes',
  historyMaxBytes: 'ringsMaxBytes',
  connectionsMax: 'maxConnections',
  connectionsMaxPerIp: 'maxConnectionsPerIp',
  unauthenticatedMaxPerIp: 'maxUnauthenticatedPerIp',
  connectionsMaxPerUser: 'maxConnectionsPerUser',
  httpConnectionsMax: 'maxHttpConnections',
} as const satisfies { readonly [N in OptionName]?: string };

/** Old name -> new name. */
export const renamedOptions: ReadonlyMap<string, string> = new Map(
  Object.entries(oldNames).map(([name, oldName]) => [oldName, name]),
);

export type OldOptionName = (typeof oldNames)[keyof typeof oldNames];

/** All options, resolved and checked. Deeply frozen. */
export type Config = {
  readonly [N in OptionName]: Table[N] extends Spec<infer T> ? T : never;
} & {
  /** Only in the file: namespace -> options of its own. Resolved; read it through `namespaceOptions`. */
  readonly namespaces: Namespaces;
};

/** The names of an option in each source. */
export interface OptionNames {
  /** In a file. */
  readonly name: OptionName | OldOptionName;
  /** `SLUICE_CONNECTIONS_MAX` */
  readonly env: string;
  /** `--connections-max` */
  readonly flag: string;
}

/** A row of the table as help, OPTIONS.md and loader use it. */
export interface OptionRow extends Omit<Spec<unknown>, 'flag'>, OptionNames {
  readonly name: OptionName;
  readonly renamedFrom: OptionNames | undefined;
  /** The default for people; empty where there is none. */
  readonly defaultText: string;
}

function namesOf<N extends OptionName | OldOptionName>(name: N): OptionNames & { readonly name: N } {
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { name, env: `SLUICE_${words.replaceAll('-', '_').toUpperCase()}`, flag: `--${words}` };
}

function row<T>(name: OptionName, spec: Spec<T>): OptionRow {
  const names = namesOf(name);
  const oldName = Object.hasOwn(oldNames, name) ? oldNames[name as keyof typeof oldNames] : undefined;
  return {
    ...spec,
    ...names,
    flag: spec.flag ?? names.flag,
    kind: { ...spec.kind, format: (value) => spec.kind.format(value as T) },
    renamedFrom: oldName && namesOf(oldName),
    defaultText: spec.default === undefined ? '' : spec.kind.format(spec.default),
  };
}

export const options: readonly OptionRow[] = (Object.keys(optionTable) as OptionName[]).map((name) =>
  row(name, optionTable[name] as Spec<unknown>),
);
