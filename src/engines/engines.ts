import type { Config } from '../config.ts';
import type { Engine } from '../topics/engine.ts';

/** Engines by the name that `--engine` takes. Loaded only when chosen, with whatever they depend on. */
export const engines: Readonly<
  Record<Config['engine'], () => Promise<(config: Config) => Engine | Promise<Engine>>>
> = {
  memory: async () => {
    const { MemoryEngine } = await import('./memory.ts');
    return () => new MemoryEngine();
  },
};
