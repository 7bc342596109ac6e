import type { NamespaceOptions } from '../config/namespaces.ts';
import { type Config, namespaceOptions } from '../config.ts';

/** What a stage needs of each namespace. Its topics share one object, whose members follow the configuration. */
export class NamespaceTable<T extends object> {
  readonly #config: Pick<Config, 'namespaces'>;
  readonly #read: (options: NamespaceOptions) => T;
  readonly #known = new Map<string, T>();

  constructor(config: Pick<Config, 'namespaces'>, read: (options: NamespaceOptions) => T) {
    this.#config = config;
    this.#read = read;
  }

  /** A name that is not configured has the default's. */
  of(namespace: string): T {
    const name = Object.hasOwn(this.#config.namespaces, namespace) ? namespace : 'default';
    const known = this.#known.get(name) ?? this.#read(namespaceOptions(this.#config, name));
    this.#known.set(name, known);
    return known;
  }

  /** Reads the configuration again, also for what was returned before. */
  reload(): void {
    for (const [name, known] of this.#known)
      Object.assign(known, this.#read(namespaceOptions(this.#config, name)));
  }
}
