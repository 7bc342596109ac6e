/** Code that is loaded when it is first needed. After a failure the next use loads it again. */
export interface LazyCode<T> {
  loaded?: T;
  load(): Promise<T>;
  /** Calls `run` with the code, at once if it is loaded. */
  use(run: (code: T) => void, failed: (cause: unknown) => void): void;
}

/** `load` imports a module that exports only `code`: the build shortens the names of members, and not of exports. */
export function later<T>(load: () => Promise<{ readonly code: T }>): LazyCode<T> {
  const self: LazyCode<T> = {
    async load() {
      self.loaded = (await load()).code;
      return self.loaded;
    },
    use(run, failed) {
      if (self.loaded) run(self.loaded);
      else self.load().then(run, failed);
    },
  };
  return self;
}
