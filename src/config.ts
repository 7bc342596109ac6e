import type { z } from 'zod';
import { admitsAnonymous } from './config/access.ts';
import { crossFaults } from './config/checks.ts';
import { type Entries, quotes, readEntries } from './config/file.ts';
import {
  inherited,
  type Namespaces,
  namespaceOptionsSchema,
  namespacesSchema,
  resolveNamespaces,
} from './config/namespaces.ts';
import { replacedNamespaces } from './config/options/compat.ts';
import {
  type Config,
  type OldOptionName,
  type OptionName,
  type OptionNames,
  type OptionRow,
  options,
  renamedOptions,
} from './config/options.ts';
import { isServiceLink } from './config/service-links.ts';
import { didYouMean, nearestOf } from './config/suggest.ts';
import { schemaWords } from './schema-words.ts';
import { withoutUrlSecrets, withoutUsers } from './url.ts';

export { admitsAnonymous, hasCredentials, takesTokens } from './config/access.ts';
export { accessSummary, proxySuspected } from './config/access-summary.ts';
export { namespaceOptions } from './config/namespaces.ts';
export { type Config, type OptionName, options } from './config/options.ts';
export { LiveConfig, type ReloadOutcome, reloadable } from './config/reload.ts';

/** Names the file, unless a flag does. */
const configFileVariable = 'SLUICE_CONFIG';

/** At most this many faults are listed, and looked at; a wrong file can have thousands. */
const toldMax = 50;
/** Characters of each: a value can have a million. */
const faultMaxLength = 500;

/**
 * All faults of a configuration together, a sentence each; of very many, or long ones, the beginning. None of them
 * holds the value of a secret.
 */
export class ConfigError extends Error {
  readonly code = 'ERR_CONFIG';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const lines = faults
      .slice(0, toldMax)
      .map((fault) => (fault.length <= faultMaxLength ? fault : `${fault.slice(0, faultMaxLength)}…`));
    if (faults.length > toldMax) lines.push(`and ${faults.length - toldMax} more`);
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n- ${lines.join('\n- ')}`,
    );
    this.name = 'ConfigError';
    this.faults = lines;
  }
}

export interface ConfigSources {
  /** By the name of the option, as text or as the value itself. `undefined`: not given. */
  readonly flags?: { readonly [N in OptionName | OldOptionName]?: unknown };
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON or YAML file. Default: what `SLUICE_CONFIG` says. */
  readonly file?: string;
  /** The content of a file as an object, instead of a file. */
  readonly entries?: Entries;
  /** Called with a sentence for each old name that is used. */
  readonly warn?: (sentence: string) => void;
}

/** Resolves flag over variable over file over default. Throws a `ConfigError`. */
export function loadConfig(sources: ConfigSources = {}): Config {
  const reading = read(sources);
  const { faults, file, path } = reading;
  faults.push(...unknownNames(reading).map(({ fault }) => fault), ...emptySecrets(file, path));
  const general = resolveAll(options, reading) as Omit<Config, 'namespaces'>;
  const entries = parseNamespaces(reading);
  if (faults.length > 0) throw new ConfigError(faults);

  const base = inherited(general, admitsAnonymous(general));
  const replaced = replacedNamespaces(general.compatNamespaces);
  const config = freeze({ ...general, namespaces: resolveNamespaces(base, entries, replaced) });
  const crossed = crossFaults(config);
  if (crossed.length > 0) throw new ConfigError(crossed);
  return config;
}

/**
 * Resolves only these options, for commands other than `serve`: faults of other options, and between options, are
 * ignored. An unknown name is a fault if it may be a misspelling of one of these. Throws a `ConfigError`.
 */
export function loadOptions<const N extends OptionName>(
  names: readonly N[],
  sources: ConfigSources,
): Pick<Config, N> {
  const reading = read(sources);
  const { faults } = reading;
  const rows = options.filter(({ name }) => names.some((each) => each === name));
  const meant = rows.flatMap(({ name, env }) => [name, env]);
  const misspelt = unknownNames(reading).filter(
    ({ nearest }) => nearest !== undefined && meant.includes(nearest),
  );
  faults.push(...misspelt.map(({ fault }) => fault));
  const values = resolveAll(rows, reading) as Pick<Config, N>;
  if (faults.length > 0) throw new ConfigError(faults);
  return values;
}

/** What was given, and the faults found so far. */
interface Reading {
  readonly flags: Entries;
  readonly env: ConfigSources['env'] & object;
  readonly file: Entries;
  readonly path: string | undefined;
  readonly faults: string[];
  readonly warn: (sentence: string) => void;
}

function read({
  flags = {},
  env = {},
  file: named,
  entries,
  warn = () => undefined,
}: ConfigSources): Reading {
  const faults: string[] = [];
  if (entries !== undefined) return { flags, env, path: 'the options', file: entries, faults, warn };
  const path = named ?? (env[configFileVariable] || undefined);
  return { flags, env, path, file: path === undefined ? {} : readEntries(path, faults), faults, warn };
}

function resolveAll(rows: readonly OptionRow[], reading: Reading): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const row of rows) {
    const value = givenFor(row, reading);
    values[row.name] = value ? resolve(row, value, reading.faults) : row.default;
  }
  return values;
}

interface GivenValue {
  readonly value: unknown;
  readonly spelling: keyof OptionNames;
  /** The place, for messages: "--port", "SLUICE_PORT", "port in sluice.yaml". */
  readonly where: string;
}

function givenFor(row: OptionRow, reading: Reading): GivenValue | undefined {
  const value = firstGiven(row, reading);
  const old = row.renamedFrom && firstGiven(row.renamedFrom, reading);
  if (old === undefined) return value;
  const renamed = `${old.where}: is now called ${row[old.spelling]}`;
  if (value === undefined) reading.warn(`${renamed}; the next version will not know the old name`);
  else reading.faults.push(`${renamed}, and ${value.where} is given too: leave the old one out`);
  return value ?? old;
}

function firstGiven(names: OptionNames, { flags, env, file, path }: Reading): GivenValue | undefined {
  const { name, flag, env: variable } = names;
  if (flags[name] !== undefined) return { value: flags[name], spelling: 'flag', where: flag };
  // An empty variable is how compose files and CI say "not set"; so is one that Kubernetes put there.
  const text = env[variable];
  if (text && !isServiceLink(variable, text)) return { value: text, spelling: 'env', where: variable };
  const entry = Object.hasOwn(file, name) ? file[name] : undefined;
  return entry === undefined || entry === null
    ? undefined
    : { value: entry, spelling: 'name', where: `${name} in ${path}` };
}

function resolve(row: OptionRow, given: GivenValue, faults: string[]): unknown {
  if (given.spelling === 'flag' && isBlank(given.value)) {
    faults.push(`${given.where}: is empty: leave it out, or give it a value`);
    return row.default;
  }
  const result = row.kind.schema.safeParse(given.value, { reportInput: true });
  if (result.success) return result.data;
  for (const { message, input } of result.error.issues) {
    const but = row.secret ? '' : `, not ${printable(input ?? given.value)}`;
    faults.push(`${given.where}: ${message}${but}`);
  }
  return row.default;
}

/** As `--api-key "$KEY"` gives it where `KEY` is not set: taken for nothing, it would leave the gateway open. */
function isBlank(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 && value.every(isBlank) : value === '';
}

const secretNames = options.filter(({ secret }) => secret).map(({ name }) => name);

/** The value of a non-secret option, for a fault. It may still hold a secret, if a line of the file slipped into it. */
function printable(value: unknown): string {
  const isList = Array.isArray(value) && value.every((item) => typeof item !== 'object');
  if (typeof value === 'object' && value !== null && !isList)
    return Array.isArray(value) ? 'a list' : 'an object';
  const text = JSON.stringify(value);
  if (secretNames.some((name) => text.includes(name))) return 'what is there';
  return withoutUsers(withoutUrlSecrets(text));
}

/** The name of an unknown option; only the beginning of a text that is no name, because the rest may be a value. */
function shownName(key: string): string {
  return /^[\w.-]{1,60}$/.test(key) ? key : `${(/^[\w.-]{0,60}/.exec(key) as RegExpExecArray)[0]}…`;
}

function parseNamespaces(reading: Reading) {
  const { file, path, faults } = reading;
  if (isEntries(file['namespaces']) && Object.hasOwn(file['namespaces'], '__proto__'))
    faults.push(`namespaces.__proto__ in ${path}: can have no options of its own`);
  const result = namespacesSchema.safeParse(withNewNames(file['namespaces'] ?? {}, reading), {
    error: schemaWords,
  });
  if (result.success) return result.data;
  for (const [index, issue] of result.error.issues.entries()) {
    const name = issue.path.map((part) => `.${shownName(String(part))}`).join('');
    faults.push(`namespaces${name} in ${path}: ${index < toldMax ? explain(issue) : issue.message}`);
  }
  return {};
}

function isEntries(value: unknown): value is Entries {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The namespaces with old names of options replaced. */
function withNewNames(namespaces: unknown, reading: Reading): unknown {
  if (!isEntries(namespaces)) return namespaces;
  const entries = Object.entries(namespaces).map(([name, entry]) => [
    name,
    isEntries(entry) ? withNewKeys(name, entry, reading) : entry,
  ]);
  return Object.fromEntries(entries);
}

function withNewKeys(namespace: string, entry: Entries, { path, faults, warn }: Reading): Entries {
  const keys = Object.keys(entry).map((key) => {
    const renamed = renamedOptions.get(key);
    if (renamed === undefined) return [key, entry[key]];
    const sentence = `namespaces.${shownName(namespace)}.${key} in ${path}: is now called ${renamed}`;
    if (Object.hasOwn(entry, renamed)) faults.push(`${sentence}, which is given too: leave the old one out`);
    else warn(`${sentence}; the next version will not know the old name`);
    return [renamed, entry[key]];
  });
  return Object.fromEntries(keys);
}

const { shape } = namespaceOptionsSchema;
const namespaceKeys = Object.keys(shape);
const anonymousKeys = Object.keys(shape.anonymous.shape);

/** Of a namespace, or of what is in it. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.path.length > 1 ? anonymousKeys : namespaceKeys;
    return issue.keys.map((key) => `has no option ${shownName(key)}${didYouMean(key, names)}`).join('; ');
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

/** An empty secret is a fault: left out by mistake, it would leave the gateway open. */
function emptySecrets(file: Entries, path: string | undefined): string[] {
  return secretNames
    .filter((name) => Object.hasOwn(file, name) && (file[name] === null || file[name] === ''))
    .map((name) => `${name} in ${path}: is empty: leave it out, or give it a value; ${quotes}`);
}

const oldVariables = new Set(options.map(({ renamedFrom }) => renamedFrom?.env));

interface UnknownName {
  readonly fault: string;
  /** The name that was probably meant. */
  readonly nearest: string | undefined;
}

function unknownNames({ env, file, path }: Reading): UnknownName[] {
  const keys = [...options.map(({ name }) => name), 'namespaces'];
  const variables = [...options.map((row) => row.env), configFileVariable];
  const names = [
    ...Object.entries(env)
      .filter(([name, value = '']) => name.startsWith('SLUICE_') && !isServiceLink(name, value))
      .filter(([name]) => !variables.includes(name) && !oldVariables.has(name))
      .map(([name]) => ({ name, where: shownName(name), known: variables })),
    ...Object.keys(file)
      .filter((key) => !keys.includes(key) && !renamedOptions.has(key))
      .map((key) => ({ name: key, where: `${shownName(key)} in ${path}`, known: keys })),
  ];
  return names.map(({ name, where, known }, index) => ({
    fault: `${where}: is no option${index < toldMax ? didYouMean(name, known) : ''}`,
    nearest: index < toldMax ? nearestOf(name, known) : undefined,
  }));
}

function freeze(config: Config): Config {
  for (const value of Object.values(config)) Object.freeze(value);
  return Object.freeze(config);
}

/** For people and logs: secrets are masked, sizes have units. */
export function describeConfig(
  config: Config,
): Record<string, unknown> & { readonly namespaces: Namespaces } {
  const entries = options.map((row) => [row.name, row.secret ? mask(config[row.name]) : shown(row, config)]);
  return { ...Object.fromEntries(entries), namespaces: config.namespaces };
}

function shown(row: OptionRow, config: Config): unknown {
  const value = config[row.name];
  if (typeof value === 'string') return withoutUrlSecrets(value);
  if (typeof value !== 'number') return value;
  const text = row.kind.format(value);
  return text === String(value) ? value : text;
}

function mask(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mask);
  return value === undefined ? undefined : '********';
}
