import type { ChildProcess } from 'node:child_process';
import type { ApplicationEvents } from '../hooks/events.ts';
import type { Log } from '../log.ts';
import { MergedMetrics } from '../metrics/merged-metrics.ts';
import type { Metrics } from '../metrics.ts';
import type { ParentCalls, StartFault, WorkerCalls, WorkerStart } from '../workers/calls.ts';
import type { EngineHub } from '../workers/engine-hub.ts';
import { Heartbeat } from '../workers/heartbeat.ts';
import { type Handlers, Link } from '../workers/link.ts';
import { toMachineMs } from '../workers/machine-clock.ts';
import type { SocketPasser } from '../workers/passed-sockets.ts';
import type { SharedSeats } from '../workers/seats.ts';
import type { WorkerExit, WorkerProcess } from '../workers/supervisor.ts';
import { EventsOfWorker } from '../workers/told-events.ts';
import { type CommandLine, spawnWorker } from '../workers/worker-process.ts';
import type { BusLine } from './bus-line.ts';
import { newCanaryKey } from './canary.ts';

type WorkerLink = Link<ParentCalls, WorkerCalls>;

export interface WorkerPoolOptions {
  readonly commandLine: CommandLine;
  readonly count: number;
  readonly hub: EngineHub;
  readonly seats: SharedSeats;
  /** Passes connections that the parent accepted; undefined: it accepts none. */
  readonly passer: SocketPasser | undefined;
  /** The line to the other gateways of the engine. */
  readonly line: BusLine | undefined;
  readonly events: ApplicationEvents | undefined;
  /** What a worker tells the other nodes. */
  readonly heard: (name: string, body: unknown) => void;
  /** Those of the parent. */
  readonly metrics: Metrics;
  readonly log: Pick<Log, 'error'>;
}

/** A worker is asked whether it still answers in every fifth sweep, so about every 5 s. */
const sweepsPerBeat = 5;
/** A worker that has not answered for 30 s, so for more beats than this, is stopped or hangs. */
const unansweredMax = 6;

/** The workers that serve: starts their processes, handles their calls, and passes messages between them. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  /** The processes of all workers, those that do not serve yet included. */
  readonly #workers = new Map<unknown, Worker>();
  readonly #links = new Map<string, WorkerLink>();
  readonly #scrapes = new MergedMetrics();
  readonly #canaryKey = newCanaryKey();
  #sweeps = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Workers that serve. */
  get size(): number {
    return this.#links.size;
  }

  tellAll<N extends 'nodeTold' | 'nodeGone' | 'nodesCame' | 'reload'>(
    name: N,
    body: Parameters<WorkerCalls[N]>[0],
    except?: string,
  ): void {
    for (const [node, link] of this.#links) if (node !== except) link.tell(name, body);
  }

  /** Asks all workers except `asking`. Resolves with the answers of those that give one. */
  async askAll(asking: string, name: string, body: unknown): Promise<unknown[]> {
    const others = [...this.#links].filter(([node]) => node !== asking);
    const answers = await Promise.allSettled(
      others.map(([, link]) => link.ask('nodeAsked', [name, body, asking])),
    );
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** Starts the process of the worker with this index. */
  spawn(index: number, ports: Pick<WorkerStart, 'port' | 'compatPort' | 'adminPort'>): WorkerProcess {
    const { commandLine, count, hub, passer, line, heard } = this.#options;
    const machineName = `worker-${index}`;
    const node = line?.nameOf(machineName) ?? machineName;
    const { child, channel } = spawnWorker(commandLine, passer !== undefined);
    const worker = new Worker(node, machineName, child, new Link(channel), this.#options);
    worker.listen({
      start: () => ({
        ...ports,
        node,
        index,
        count,
        canaryKey: this.#canaryKey,
        steadyAheadMs: hub.nowMs() - toMachineMs(performance.now()),
      }),
      serving: () => void this.#links.set(node, worker.link),
      metricsText: () => this.#scrape(),
      tellNodes: ([name, body]) => {
        heard(name, body);
        this.tellAll('nodeTold', [name, body, node], node);
        line?.tell(name, body, machineName);
      },
      askNodes: async ([name, body]) => {
        const elsewhere = line?.ask(name, body, machineName) ?? [];
        return (await Promise.all([this.askAll(node, name, body), elsewhere])).flat();
      },
    });
    this.#workers.set(worker.link, worker);
    void worker.exited.then(() => this.#left(worker));
    return worker;
  }

  /**
   * Ends workers that no longer answer: the kernel would go on giving them connections, and what asks all workers would
   * wait for them. Call it once a second.
   */
  sweep(): void {
    if (this.#sweeps++ % sweepsPerBeat !== 0) return;
    for (const link of this.#links.values())
      if (this.#workers.get(link)?.heartbeat.beat() === false) this.end(link, 'does not answer');
  }

  /** Ends the worker of this link at once. `problem`: for the log. */
  end(link: unknown, problem: string): void {
    const worker = this.#workers.get(link);
    if (worker === undefined) return;
    this.#options.log.error({ worker: worker.machineName, pid: worker.pid, problem }, 'a worker is killed');
    worker.kill();
    worker.link.close(new Error(`the worker ${problem}`));
  }

  #left({ node, machineName, link }: Worker): void {
    this.#workers.delete(link);
    if (this.#links.get(node) !== link) return;
    this.#links.delete(node);
    this.#scrapes.ended(node);
    this.tellAll('nodeGone', node);
    this.#options.line?.gone(machineName);
  }

  /** The metrics of all workers and of the parent. */
  async #scrape(): Promise<{ readonly contentType: string; readonly body: string }> {
    await Promise.all(
      [...this.#links].map(async ([node, link]) => {
        const values = await link.ask('metrics', undefined).catch(() => undefined);
        if (values !== undefined && this.#links.get(node) === link) this.#scrapes.heard(node, values);
      }),
    );
    return this.#scrapes.text(await this.#options.metrics.registry.getMetricsAsJSON());
  }
}

/** Calls of a worker that concern the whole pool. */
type PoolCalls = Pick<Handlers<ParentCalls>, 'start' | 'serving' | 'metricsText' | 'tellNodes' | 'askNodes'>;

/** The process of one worker, and what the parent holds for it. */
class Worker implements WorkerProcess {
  readonly node: string;
  /** Its name among the workers of this machine. */
  readonly machineName: string;
  readonly link: WorkerLink;
  readonly heartbeat: Heartbeat;
  readonly ready: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  readonly #child: ChildProcess;
  readonly #options: WorkerPoolOptions;
  #isReady = (): void => undefined;
  #isFailed = (_: unknown): void => undefined;

  constructor(
    node: string,
    machineName: string,
    child: ChildProcess,
    link: WorkerLink,
    options: WorkerPoolOptions,
  ) {
    this.node = node;
    this.machineName = machineName;
    this.link = link;
    this.heartbeat = new Heartbeat(() => link.ask('ping', undefined), unansweredMax);
    this.#child = child;
    this.#options = options;
    this.ready = new Promise<void>((resolve, reject) => {
      this.#isReady = resolve;
      this.#isFailed = reject;
    });
    this.exited = new Promise<WorkerExit>((resolve) => {
      child.once('error', (error) => {
        this.#isFailed(error);
        resolve({ code: null, signal: null });
      });
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Handles its calls until it ends, and then releases all that it held. */
  listen(poolCalls: PoolCalls): void {
    const { hub, seats, events, passer } = this.#options;
    const itsSeats = seats.forWorker();
    const itsEvents = events && new EventsOfWorker(events);
    let stopPassed = (): void => undefined;
    this.link.listen({
      ...hub.handlersFor(this.link),
      ...itsSeats.handlers,
      ...poolCalls,
      ready: () => {
        if (passer !== undefined) stopPassed = passer.add(this.#child);
        this.#isReady();
      },
      failed: (fault) => this.#isFailed(errorOf(fault)),
      stopPassed: () => stopPassed(),
      sessionEvents: (told) => itsEvents?.told(told),
    });
    void this.exited.then(() => {
      this.#isFailed(new Error('a worker ended before it served'));
      this.link.close(new Error('the worker has ended'));
      hub.left(this.link);
      itsSeats.gone();
      itsEvents?.gone();
      stopPassed();
    });
  }

  drain(): void {
    this.link.tell('drain', undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Keeps the code of a system error, which tells the operator what happened. */
function errorOf({ message, code, syscall }: StartFault): Error {
  return Object.assign(new Error(message), { code, syscall });
}
