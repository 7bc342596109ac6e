/** Code that is loaded when it is first needed. After a failure the next use loads it again. */
export interface Later<T> {
  readonly loaded: T | undefined;
  load(): Promise<T>;
  /** Calls `run` with the code, at once if it is loaded. */
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
