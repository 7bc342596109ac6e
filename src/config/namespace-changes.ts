import { admitsAnonymous } from './access.ts';
import { inherited, type NamespaceOptions, type Namespaces, namespaceOptions } from './namespaces.ts';
import type { Config } from './options.ts';

/** Options that a namespace keeps until a restart: its topics have a mode, and refreshes are timed at the start. */
const lasting: readonly NamespaceOption[] = ['mode', 'refreshMs', 'refresh'];

type NamespaceOption = keyof NamespaceOptions;

interface NamespaceChanges {
  readonly taken: Namespaces;
  /** `namespaces.NAME.OPTION` */
  readonly changed: readonly string[];
  readonly needRestart: readonly string[];
}

/** The namespaces of a gateway that reloads its configuration. What is inherited is reported where it comes from. */
export function namespacesAfter(before: Config, next: Config): NamespaceChanges {
  const names = [...new Set(['default', ...Object.keys(before.namespaces), ...Object.keys(next.namespaces)])];
  const entries = names.map((name) => [name, optionsAfter(name, before, next)] as const);
  const different = names.flatMap((name) =>
    differences(name, before, next).map((option) => ({ name, option })),
  );
  const named = (isLasting: boolean) =>
    different
      .filter(({ option }) => lasting.includes(option) === isLasting)
      .map(({ name, option }) => `namespaces.${name}.${option}`);
  return {
    taken: Object.freeze(Object.fromEntries(entries)) as unknown as Namespaces,
    changed: named(false),
    needRestart: named(true),
  };
}

function optionsAfter(name: string, before: Config, next: Config): NamespaceOptions {
  const former = namespaceOptions(before, name);
  const lastingOptions = Object.fromEntries(lasting.map((option) => [option, former[option]]));
  return Object.freeze({ ...namespaceOptions(next, name), ...lastingOptions });
}

/** The options that differ, except for those that the namespace only inherits. */
function differences(name: string, before: Config, next: Config): NamespaceOption[] {
  const [had, wanted] = [namespaceOptions(before, name), namespaceOptions(next, name)];
  const source = (config: Config): Partial<NamespaceOptions> =>
    name === 'default' ? inherited(config, admitsAnonymous(config)) : config.namespaces.default;
  const [hadFrom, wantedFrom] = [source(before), source(next)];
  return (Object.keys(wanted) as NamespaceOption[]).filter(
    (option) =>
      !isSame(had[option], wanted[option]) &&
      !(isSame(had[option], hadFrom[option]) && isSame(wanted[option], wantedFrom[option])),
  );
}

export function isSame(one: unknown, another: unknown): boolean {
  if (one === another) return true;
  return typeof one === 'object' && JSON.stringify(one) === JSON.stringify(another);
}
