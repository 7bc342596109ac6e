/** Code that is loaded when it is first needed. Where that fails it is tried again. */
export interface Later<T> {
  readonly loaded: T | undefined;
  load(): Promise<T>;
  /** Runs with the code: at once where it is there. */
  use(run: (code: T) => void, failed: (cause: unknown) => void): void;
}

export function later<T>(load: () => Promise<T>): Later<T> {
  return {
    loaded: undefined,
    async load() {
      const code = await load();
      (this as { loaded: T | undefined }).loaded = code;
      return code;
    },
    use(run, failed) {
      if (this.loaded) run(this.loaded);
      else this.load().then(run, failed);
    },
  };
}
