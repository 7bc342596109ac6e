import type { ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endNode, startNode } from './core.ts';

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}
type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** A process of its own that runs one file of this folder and answers calls. */
export class Worker<H extends Handlers> {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  /** Without `core` on any. `file`: `new URL('./load/x.ts', import.meta.url)`. */
  constructor(file: URL, core?: number, nodeArgs: readonly string[] = []) {
    const args = ['--expose-gc', ...nodeArgs, '--import', import.meta.resolve('tsx'), fileURLToPath(file)];
    this.#child = startNode(core, args, {
      // What it logs must not get into the JSON of `--json`.
      stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.pid = this.#child.pid!;
    this.#child.on('message', (message) => this.#answered(message as unknown as Answer));
    this.#child.once('exit', (code, signal) => {
      for (const { reject } of this.#pending.values())
        reject(new Error(`the worker ${file.pathname} ended with ${code ?? signal}`));
    });
  }

  call<K extends keyof H & string>(
    name: K,
    ...[argument]: Parameters<H[K]>
  ): Promise<Awaited<ReturnType<H[K]>>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, name, argument } satisfies Call);
    });
  }

  async end(): Promise<void> {
    this.#pending.clear();
    await endNode(this.#child, 'SIGKILL');
  }

  #answered(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ('error' in answer) pending?.reject(new Error(answer.error));
    else pending?.resolve(answer.value);
  }
}

/** In the worker: memory of the process after garbage collection. */
export async function settledRssBytes(): Promise<number> {
  // What finalizers release is collected in the next round, and pages are returned a little later.
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await setTimeout(100);
  }
  return process.memoryUsage.rss();
}

/** In the worker: answers calls until the other side is gone. */
export function serveCalls(handlers: Handlers): void {
  process.on('message', async (message) => {
    const { id, name, argument } = message as unknown as Call;
    try {
      const value = await handlers[name]!(argument as never);
      process.send!({ id, value } satisfies Answer);
    } catch (error) {
      process.send!({ id, error: error instanceof Error ? error.stack! : String(error) } satisfies Answer);
    }
  });
  process.once('disconnect', () => process.exit(0));
}
