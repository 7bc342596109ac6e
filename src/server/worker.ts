import { setSteadyClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { NodeHandlers, OtherNodes } from '../other-nodes.ts';
import type { Caps } from '../sessions/admission/connection-caps.ts';
import type { Engine } from '../topics/engine.ts';
import type { ParentCalls, WorkerCalls, WorkerStart } from '../workers/calls.ts';
import { type Handlers, Link } from '../workers/link.ts';
import { toMachineMs } from '../workers/machine-clock.ts';
import { takePassed } from '../workers/passed-sockets.ts';
import { WorkerCaps } from '../workers/seats.ts';
import { WorkerEvents } from '../workers/told-events.ts';
import { WorkerEngine } from '../workers/worker-engine.ts';
import { parentChannel } from '../workers/worker-process.ts';
import type { SharedListening } from './listeners.ts';
import type { NodeCalls } from './node-calls.ts';
import type { Strangers } from './strangers.ts';

/** What a gateway gets from its parent where it is one of several workers. */
export interface WorkerSite extends SharedListening {
  readonly start: WorkerStart;
  readonly engine: Engine;
  readonly caps: Caps;
  /** Tells the application by the parent process; undefined: the application has no hook for events. */
  readonly events: WorkerEvents | undefined;
  readonly otherNodes: OtherNodes<NodeCalls>;
  /** The metrics of all processes together. */
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** From now on this worker reports its metrics, and exchanges messages with other nodes. */
  serve(metrics: Metrics, listener: NodeListener): void;
}

/** What a node does when it hears of others. */
export interface NodeListener {
  readonly handlers: NodeHandlers<NodeCalls>;
  /** Machines with another version may say what this one does not understand. */
  readonly strangers: Strangers;
  /** Another node is gone; or a machine, and all nodes on it. */
  readonly gone: (node: string) => void;
  /** Other machines came: they and this node know nothing of each other. */
  readonly came: () => void;
}

export interface Worker {
  readonly site: WorkerSite;
  /** Resolves, with the reason, when the worker is to drain. */
  readonly drained: Promise<string>;
  /** Resolves when the parent ends before this worker has drained at its request, as at a second signal. */
  readonly abandoned: Promise<void>;
  /** Calls `run` when the worker is to read its configuration anew. */
  onReload(run: () => void): void;
  ready(): void;
  failed(error: unknown): void;
}

/** Joins the parent process of this worker. */
export async function joinParent(config: Config): Promise<Worker> {
  const { channel, gone } = parentChannel();
  const link: ParentLink = new Link<WorkerCalls, ParentCalls>(channel);
  const engine = new WorkerEngine({ link });
  const served: NodeParts = {};
  let drain: (reason: string) => void = () => undefined;
  let isAsked = false;
  let reload = (): void => undefined;
  const drained = new Promise<string>((resolve) => {
    drain = resolve;
  });
  const abandoned = gone.then(() => {
    link.close(new Error('the parent process has ended'));
    drain('the parent process has ended');
    return isAsked ? undefined : new Promise<never>(() => undefined);
  });
  link.listen({
    ...engine.news,
    ...nodeCalls(served),
    drain: () => {
      isAsked = true;
      drain('asked by the parent process');
    },
    reload: () => reload(),
    ping: () => undefined,
    metrics: async () => (await served.metrics?.registry.getMetricsAsJSON()) ?? [],
  });
  const start = await link.ask('start', undefined);
  setSteadyClock(start.steadyAheadMs + toMachineMs(performance.now()));
  return {
    site: siteOf(config, { link, engine, start, served }),
    drained,
    abandoned,
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

type ParentLink = Link<WorkerCalls, ParentCalls>;

/** What this process shows to others, once it serves. */
interface NodeParts {
  metrics?: Metrics;
  listener?: NodeListener;
}

/** What other nodes tell and ask, by way of the parent. */
function nodeCalls(
  served: NodeParts,
): Pick<Handlers<WorkerCalls>, 'nodeTold' | 'nodeAsked' | 'nodeGone' | 'nodesCame'> {
  const handlerOf = (name: string) => {
    const handlers = served.listener?.handlers ?? {};
    return (Object.hasOwn(handlers, name) ? handlers[name as keyof typeof handlers] : undefined) as
      | ((body: unknown, from: string) => unknown)
      | undefined;
  };
  return {
    nodeTold: ([name, body, from]) =>
      served.listener?.strangers.guard(name, from, () => handlerOf(name)?.(body, from)),
    nodeAsked: ([name, body, from]) => {
      const handler = handlerOf(name);
      if (handler === undefined) throw new Error(`not ready to be asked ${name}`);
      return handler(body, from);
    },
    nodeGone: (name) => served.listener?.gone(name),
    nodesCame: () => served.listener?.came(),
  };
}

interface SiteParts {
  readonly link: ParentLink;
  readonly engine: WorkerEngine;
  readonly start: WorkerStart;
  readonly served: NodeParts;
}

function siteOf(config: Config, { link, engine, start, served }: SiteParts): WorkerSite {
  return {
    start,
    engine,
    takePassed,
    caps: new WorkerCaps(link, config),
    events:
      config.hookEvents === ''
        ? undefined
        : new WorkerEvents((events) => link.ask('sessionEvents', events).catch(() => undefined)),
    otherNodes: {
      tell: (name, body) => link.tell('tellNodes', [name, body]),
      ask: async (name, body) =>
        (await link.ask('askNodes', [name, body]).catch(() => [])) as Awaited<
          ReturnType<OtherNodes<NodeCalls>['ask']>
        > as never,
    },
    stopPassed: () => link.tell('stopPassed', undefined),
    metricsText: () => link.ask('metricsText', undefined),
    serve: (metrics, listener) => {
      Object.assign(served, { metrics, listener });
      link.tell('serving', undefined);
    },
  };
}
