import type { Config } from '../config.ts';
import { type Answerer, type AskedHook, hookedApplication } from '../hooks/application.ts';
import { type CallHandler, type HookName, type Hooks, hookNames } from '../hooks/contract.ts';
import { Endpoint } from '../hooks/endpoint.ts';
import { Gate } from '../hooks/gate.ts';
import type { Application } from '../sessions/application.ts';
import { type ByteLimits, HeldBytes } from '../sessions/limits/charges.ts';
import { version } from '../version.ts';
import { isCanary } from './canary.ts';
import type { Environment } from './environment.ts';

/** What an embedding process gives its gateway. */
export interface EmbeddedApplication {
  readonly hooks: Hooks;
  readonly handlers: ReadonlyMap<string, CallHandler>;
}

export interface ApplicationStage {
  /** Follows the configuration as it was last reloaded. */
  readonly application: Application;
  /** Reads the configuration anew. */
  reload(): void;
}

/** The option that names the URL of each hook. */
export const urlOptions = {
  connect: 'hookConnect',
  subscribe: 'hookSubscribe',
  publish: 'hookPublish',
  call: 'hookCall',
} as const satisfies Record<HookName, string>;

/** The application's hooks, at URLs or in this process. */
export function createApplication(
  environment: Environment,
  embedded: EmbeddedApplication | undefined,
): ApplicationStage {
  const { config } = environment;
  const gateOf = gates(environment);
  const handlerOf = (method: string): AskedHook | undefined => {
    const handler = embedded?.handlers.get(method);
    if (handler === undefined) return undefined;
    const ask: Hooks['call'] = async (question, asked) => ({ data: await handler(question, asked) });
    return { answerer: { ask }, gate: gateOf('call'), failsOpen: false };
  };
  const answererOf = (hook: HookName): Answerer | undefined => {
    const ask = embedded?.hooks[hook];
    if (ask !== undefined) return { ask };
    const url = config[urlOptions[hook]];
    return url === '' ? undefined : { endpoint: endpointOf(config, url) };
  };
  const asItIsNow = (): Application => {
    const hooks: { [N in HookName]?: AskedHook } = {};
    for (const hook of hookNames) {
      const answerer = answererOf(hook);
      if (answerer === undefined) continue;
      hooks[hook] = { answerer, gate: gateOf(hook), failsOpen: config.hookFailOpen.includes(hook) };
    }
    return hookedApplication({
      hooks,
      handlerOf,
      isOwn: isCanary,
      payloadMaxBytes: config.payloadMaxBytes,
    });
  };
  let now = asItIsNow();
  const application: Application = {
    get connect() {
      return now.connect;
    },
    get subscribe() {
      return now.subscribe;
    },
    get publish() {
      return now.publish;
    },
    get call() {
      return now.call;
    },
  };
  const reload = () => {
    now = asItIsNow();
  };
  return { application, reload };
}

/**
 * At least what one question about a whole body needs: the payload, the request (longer by a third in base64), and the
 * response with the buffer from which it grew.
 */
function questionBounds(config: Config): ByteLimits {
  const largestBytes = 3 * config.bodyMaxBytes + 3 * config.payloadMaxBytes + 128 * 1024;
  return {
    perPayer: Math.max(config.requestsMaxBytesPerClient, largestBytes),
    total: Math.max(config.requestsMaxBytes, 2 * largestBytes),
  };
}

/** The gate of each hook, the same whatever URL it has; made when it is needed. */
function gates({ config, metrics, log, monotonicMs }: Environment): (hook: HookName) => Gate {
  const held = new HeldBytes(questionBounds(config));
  const byHook = new Map<HookName, Gate>();
  metrics.onScrape(() => {
    for (const [hook, gate] of byHook) metrics.hooksWaiting.set({ hook }, gate.size);
  });
  return (hook) => {
    const existing = byHook.get(hook);
    if (existing !== undefined) return existing;
    const gate = new Gate({
      hook,
      held,
      monotonicMs,
      metrics,
      log,
      get timeoutMs() {
        return hook === 'call' ? config.callTimeoutMs : config.hookTimeoutMs;
      },
      get concurrency() {
        return config.hookConcurrency;
      },
    });
    byHook.set(hook, gate);
    return gate;
  };
}

/** By the configuration as it is now. */
export function endpointOf({ hookSecret = '' }: Config, url: string): Endpoint {
  return new Endpoint({ url, secret: hookSecret, userAgent: `sluice/${version}` });
}
