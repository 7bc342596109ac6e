import { PublishBodies } from './api/publish-body.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { SluiceError } from './errors.ts';
import { EventListeners, type GatewayEventName, type GatewayListener } from './gateway/events.ts';
import type { GatewayOptions } from './gateway/options.ts';
import { GatewayRun } from './gateway/run.ts';
import { type CallHandler, type HookName, type Hooks, hookNames } from './hooks/contract.ts';
import { createLog, type Log } from './log.ts';
import { given } from './protocol/given.ts';
import type { PublishFields } from './protocol/publication.ts';
import {
  type BroadcastInput,
  type PublicationInput,
  type PublicationOptions,
  type Published,
  publicationText,
} from './publisher/publication.ts';
import { type Addresses, addressesOf } from './server/addresses.ts';
import { urlOptions } from './server/application.ts';
import { startServer } from './server.ts';
import type { AppendOutcome } from './topics/engine.ts';

/** The outcome of one publication of a batch. */
export type PublishOutcome =
  | ({ readonly ok: true } & Published)
  | { readonly ok: false; readonly error: SluiceError };

/** A gateway in this process. */
export interface Gateway {
  /**
   * Starts it, and resolves once it takes connections; a repeated call waits for the same start. Rejects where the
   * address can't be listened on, or the engine can't be opened; then it may be called again. Rejects with
   * `ERR_GATEWAY_STATE` where `close` was called before.
   */
  listen(): Promise<void>;
  /** Where it listens. Throws `ERR_GATEWAY_STATE` while it does not. */
  readonly port: number;
  /**
   * All addresses at which it can be reached: that of the port (`https:` with a certificate), and those of the other
   * listeners.
   */
  readonly addresses: Addresses;
  /**
   * Publishes, with permission for every topic, and resolves once the engine has committed it. Rejects with a
   * `SluiceError`, whose `code` is one of `src/ERRORS.md`.
   */
  publish(topic: string, type: string, data?: unknown, options?: PublicationOptions): Promise<Published>;
  /** Publishes each, in order, and resolves with their outcomes. A refused one does not affect the others. */
  publishBatch(publications: readonly PublicationInput[]): Promise<readonly PublishOutcome[]>;
  /** Publishes to all sessions, in the topic `$all`. */
  broadcast(type: string, data?: unknown, options?: PublicationOptions): Promise<Published>;
  /**
   * Calls `listener` for each event of this name, until the returned function is called. Listeners run in the order of
   * the events. A listener that throws is logged.
   */
  on<N extends GatewayEventName>(name: N, listener: GatewayListener<N>): () => void;
  /**
   * Handles calls of this method: `client.call(method, data)` of the SDK, the command `call`, and `POST /api/call`. An
   * application adds its own kinds of messages here. Returns a function that removes the handler.
   */
  handle(method: string, handler: CallHandler): () => void;
  /**
   * Accepts no more connections, asks clients to reconnect later, waits for running requests (at most
   * `shutdownGraceSeconds`), and ends. It can't be started again.
   */
  close(): Promise<void>;
}

const inOneProcess =
  'workers: a gateway in a process of your own is one process; sluice serve starts several';

/** The options, and the application's own functions. */
export type EmbeddedOptions = GatewayOptions & { readonly hooks?: Hooks | undefined };

/** A hook can't be both a function and a URL. */
function hookFaults(hooks: Hooks, config: Config): string[] {
  return Object.entries(hooks).flatMap(([name, hook]) => {
    if (!hookNames.some((each) => each === name))
      return [`hooks.${name}: is no hook: ${hookNames.join(', ')}`];
    if (hook === undefined) return [];
    if (typeof hook !== 'function') return [`hooks.${name}: must be a function`];
    const option = urlOptions[name as HookName];
    return config[option] === '' ? [] : [`hooks.${name} and ${option} are two answers to the same question`];
  });
}

/** Builds a gateway that does not listen yet. Throws a `ConfigError` with all faults of the options together. */
export function createGateway(wanted: EmbeddedOptions = {}): Gateway {
  const { hooks: wantedHooks, ...options } = given(wanted);
  const hooks = given(wantedHooks);
  const { config, log } = configured(options, hooks);
  const handlers = new Map<string, CallHandler>();
  const listeners = new EventListeners(log);
  const run = new GatewayRun((signal) =>
    startServer(config, { log, signal, events: listeners, embedded: { hooks, handlers } }),
  );
  return {
    ...publishing(run, config),
    listen: () => run.listen(),
    close: () => run.close(),
    get port() {
      return run.server.port;
    },
    get addresses() {
      return addressesOf(config, run.server);
    },
    on: (name, listener) => listeners.on(name, listener),
    handle(method, handler) {
      if (typeof handler !== 'function') throw new TypeError('a handler must be a function');
      if (handlers.has(method)) throw new TypeError(`${method} has a handler already`);
      handlers.set(method, handler);
      return () => {
        if (handlers.get(method) === handler) handlers.delete(method);
      };
    },
  };
}

/** The configuration, and a log that has its warnings. */
function configured(options: GatewayOptions, hooks: Hooks): { readonly config: Config; readonly log: Log } {
  const warnings: string[] = [];
  const config = loadConfig({ entries: options, warn: (warning) => warnings.push(warning) });
  if (config.workers > 1) throw new ConfigError([inOneProcess]);
  const faults = hookFaults(hooks, config);
  if (faults.length > 0) throw new ConfigError(faults);
  const log = createLog(config);
  for (const warning of warnings) log.warn(warning);
  return { config, log };
}

function publishing(
  run: GatewayRun,
  { payloadMaxBytes }: Config,
): Pick<Gateway, 'publish' | 'publishBatch' | 'broadcast'> {
  const bodies = new PublishBodies(payloadMaxBytes);

  async function commit(fields: readonly PublishFields[]): Promise<readonly AppendOutcome[]> {
    const { broker } = run.server;
    if (run.isClosing) throw thrown(new SluiceError('shutting_down'));
    return broker.publish(fields);
  }

  async function publishOne(fields: PublishFields | SluiceError): Promise<Published> {
    if (fields instanceof SluiceError) throw thrown(fields);
    const [outcome] = await commit([fields]);
    if (!outcome!.ok) throw thrown(outcome!.error);
    return publishedOf(outcome!);
  }

  const readPublication = (input: PublicationInput) => read(input, (body) => bodies.publish(body));
  const readBroadcast = (input: BroadcastInput) => read(input, (body) => bodies.broadcast(body));

  return {
    // Awaited here, so that the error has the caller's stack.
    publish: async (topic, type, data, more) =>
      await publishOne(readPublication({ ...more, topic, type, data })),
    broadcast: async (type, data, more) => await publishOne(readBroadcast({ ...more, type, data })),
    async publishBatch(publications) {
      const inputs = publications.map(readPublication);
      const outcomes = (await commit(inputs.filter(isFields))).values();
      return inputs.map((input) =>
        isFields(input) ? outcomeOf(outcomes.next().value as AppendOutcome) : { ok: false, error: input },
      );
    },
  };
}

/** The checks of a publish over HTTP. */
function read<T extends PublicationInput | BroadcastInput>(
  input: T,
  readBody: (body: Uint8Array) => PublishFields | SluiceError,
): PublishFields | SluiceError {
  try {
    return readBody(Buffer.from(publicationText(input)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new SluiceError('invalid_request', `this can't be carried as JSON: ${why}`, { cause });
  }
}

/** A copy of the error with the caller's stack. */
function thrown(error: SluiceError): SluiceError {
  Error.captureStackTrace(error, thrown);
  return error;
}

function isFields(input: PublishFields | SluiceError): input is PublishFields {
  return !(input instanceof SluiceError);
}

function publishedOf({ epoch, offset, duplicate }: AppendOutcome & { readonly ok: true }): Published {
  return duplicate ? { epoch, offset, duplicate } : { epoch, offset };
}

function outcomeOf(outcome: AppendOutcome): PublishOutcome {
  return outcome.ok ? { ok: true, ...publishedOf(outcome) } : { ok: false, error: outcome.error };
}
