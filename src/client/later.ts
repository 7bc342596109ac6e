/** Code that is loaded when it is first needed. After a failure the next use loads it again. */
export interface Later<T> {
  loaded?: T;
  load(): Promise<T>;
  /** Calls `run` with the code, at once if it is loaded. */
  use(run: (code: T) => void, failed: (cause: unknown) => void): void;
}

export function later<T>(load: () => Promise<T>): Later<T> {
  const code: Later<T> = {
    async load() {
      code.loaded = await load();
      return code.loaded;
    },
    use(run, failed) {
      if (code.loaded) run(code.loaded);
      else code.load().then(run, failed);
    },
  };
  return code;
}
