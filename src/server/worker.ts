import { setSteadyClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { PeerHandlers, Peers } from '../peers.ts';
import type { Caps } from '../sessions/connection-caps.ts';
import type { Engine } from '../topics/engine.ts';
import type { ParentCalls, WorkerCalls, WorkerStart } from '../workers/calls.ts';
import { Link } from '../workers/link.ts';
import { toMachineMs } from '../workers/machine-clock.ts';
import { WorkerCaps } from '../workers/seats.ts';
import { WorkerEvents } from '../workers/told-events.ts';
import { WorkerEngine } from '../workers/worker-engine.ts';
import { parentChannel } from '../workers/worker-process.ts';
import type { NodeCalls } from './node-calls.ts';

/** What a gateway gets from its parent where it is one of several workers. */
export interface WorkerSite {
  readonly start: WorkerStart;
  readonly engine: Engine;
  readonly caps: Caps;
  /** Tells the application, by the parent; undefined: it wants to be told nothing. */
  readonly events: WorkerEvents | undefined;
  readonly peers: Peers<NodeCalls>;
  /** Of all processes together. */
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** From now on this worker tells its metrics, and is told and asked by the others. */
  serve(metrics: Metrics, handlers: PeerHandlers<NodeCalls>, peerGone: (name: string) => void): void;
}

/** What others call the worker with this index. */
export function nodeName(index: number): string {
  return `worker-${index}`;
}

export interface Worker {
  readonly site: WorkerSite;
  /** Resolves, with the reason, when the worker is to drain. */
  readonly drained: Promise<string>;
  /** Calls `run` when the worker is to read its configuration anew. */
  onReload(run: () => void): void;
  ready(): void;
  failed(error: unknown): void;
}

/** Joins the parent process of this worker. */
export async function joinParent(config: Config): Promise<Worker> {
  const { channel, gone } = parentChannel();
  const link = new Link<WorkerCalls, ParentCalls>(channel);
  const engine = new WorkerEngine({ link });
  let drain: (reason: string) => void = () => undefined;
  let reload = (): void => undefined;
  const drained = new Promise<string>((resolve) => {
    drain = resolve;
  });
  void gone.then(() => {
    link.close(new Error('the parent process has ended'));
    drain('the parent process has ended');
  });
  let served: Parameters<WorkerSite['serve']> | undefined;
  const handlersOf = (name: string) =>
    served?.[1][name as keyof NodeCalls] as ((body: unknown, from: string) => unknown) | undefined;
  link.listen({
    ...engine.news,
    drain: () => drain('asked by the parent process'),
    reload: () => reload(),
    metrics: async () => (await served?.[0].registry.getMetricsAsJSON()) ?? [],
    peerTold: ([name, body, from]) => void handlersOf(name)?.(body, from),
    peerAsked: ([name, body, from]) => {
      const handler = handlersOf(name);
      if (handler === undefined) throw new Error(`not ready to be asked ${name}`);
      return handler(body, from);
    },
    peerGone: (name) => served?.[2](name),
  });
  const start = await link.ask('start', undefined);
  setSteadyClock(start.steadyAheadMs + toMachineMs(performance.now()));
  const site: WorkerSite = {
    start,
    engine,
    caps: new WorkerCaps(link, config),
    events:
      config.hookEvents === ''
        ? undefined
        : new WorkerEvents((events) => link.ask('sessionEvents', events).catch(() => undefined)),
    peers: {
      tell: (name, body) => link.tell('tellPeers', [name, body]),
      ask: async (name, body) =>
        (await link.ask('askPeers', [name, body]).catch(() => [])) as Awaited<
          ReturnType<Peers<NodeCalls>['ask']>
        > as never,
    },
    metricsText: () => link.ask('metricsText', undefined),
    serve: (...args) => {
      served = args;
    },
  };
  return {
    site,
    drained,
    onReload(run) {
      reload = run;
    },
    ready: () => link.tell('ready', undefined),
    failed: (error) => {
      const { message, code, syscall } = error as NodeJS.ErrnoException;
      link.tell('failed', { message, code, syscall });
    },
  };
}
