/** Code that is loaded when it is first needed. Where that fails it is tried again. */
export interface Later<T> {
  readonly loaded: T | undefined;
  load(): Promise<T>;
}

export function later<T>(load: () => Promise<T>): Later<T> {
  let loaded: T | undefined;
  return {
    get loaded() {
      return loaded;
    },
    async load() {
      loaded ??= await load();
      return loaded;
    },
  };
}
