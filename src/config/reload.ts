import { isSame, namespacesAfter } from './namespace-changes.ts';
import { type Config, type OptionName, options } from './options.ts';

/** The options that a running gateway can change. All others hold until it is restarted. */
export const reloadable: readonly OptionName[] = options
  .filter(({ reloads }) => reloads === true)
  .map(({ name }) => name);

/** Changes of reloadable options that need a restart all the same. */
const restarting: { readonly [N in OptionName]?: (before: Config[N], next: Config[N]) => boolean } = {
  // A gateway that has not counted sessions since its start can't tell which topics are occupied.
  hookEvents: (before, next) => (before === '') !== (next === ''),
};

export interface ReloadOutcome {
  /** Names of the changed options; of a namespace: `namespaces.NAME.OPTION`. */
  readonly changed: readonly string[];
  /** Names of the changed options that need a restart. */
  readonly needRestart: readonly string[];
}

/**
 * A configuration whose reloadable values can be replaced. Code that reads an option when it needs it has the newest
 * value. Each value is frozen.
 */
export class LiveConfig {
  readonly config: Config;

  constructor(config: Config) {
    this.config = { ...config };
  }

  take(next: Config): ReloadOutcome {
    const { config } = this;
    const isLive = (name: OptionName) =>
      reloadable.includes(name) && restarting[name]?.(config[name] as never, next[name] as never) !== true;
    const different = options.map(({ name }) => name).filter((name) => !isSame(config[name], next[name]));
    const changed: string[] = different.filter(isLive);
    const needRestart: string[] = different.filter((name) => !isLive(name));
    const values: Record<string, unknown> = Object.fromEntries(
      changed.map((name) => [name, next[name as OptionName]]),
    );
    const namespaces = namespacesAfter(config, next);
    changed.push(...namespaces.changed);
    needRestart.push(...namespaces.needRestart);
    values['namespaces'] = namespaces.taken;
    Object.assign(config, values);
    return { changed, needRestart };
  }
}
