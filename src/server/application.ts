import { hostname } from 'node:os';
import {
  type Answerer,
  type AskedHook,
  type HookedOptions,
  hookedApplication,
} from '../hooks/application.ts';
import { type CallHandler, type HookName, type Hooks, hookNames } from '../hooks/contract.ts';
import { Endpoint } from '../hooks/endpoint.ts';
import { ApplicationEvents } from '../hooks/events.ts';
import { Gate } from '../hooks/gate.ts';
import type { Application } from '../sessions/application.ts';
import { HeldBytes } from '../sessions/charges.ts';
import { version } from '../version.ts';
import { isCanary } from './canary.ts';
import type { Environment } from './environment.ts';

/** What a process of the application gives its embedded gateway. */
export interface EmbeddedApplication {
  readonly hooks: Hooks;
  readonly handlers: ReadonlyMap<string, CallHandler>;
}

export interface ApplicationStage {
  readonly application: Application;
  readonly events: ApplicationEvents | undefined;
}

/** The option that names the URL of each hook. */
export const urlOptions = {
  connect: 'hookConnect',
  subscribe: 'hookSubscribe',
  publish: 'hookPublish',
  call: 'hookCall',
} as const satisfies Record<HookName, string>;

/** The application behind the gateway: by URLs, or in this process. `node`: which of several workers this one is. */
export function createApplication(
  { config, metrics, log, monotonicMs }: Environment,
  embedded: EmbeddedApplication | undefined,
  node: string | undefined,
  refusal: HookedOptions['refusal'],
): ApplicationStage {
  const endpointOf = (url: string): Endpoint =>
    new Endpoint({ url, secret: config.hookSecret ?? '', userAgent: `sluice/${version}` });
  const held = new HeldBytes({ perPayer: config.requestsMaxBytesPerClient, total: config.requestsMaxBytes });
  const gates: [HookName, Gate][] = [];
  const gateOf = (hook: HookName): Gate => {
    const timeoutMs = hook === 'call' ? config.callTimeoutMs : config.hookTimeoutMs;
    const concurrency = config.hookConcurrency;
    const gate = new Gate({ hook, timeoutMs, concurrency, held, monotonicMs, metrics, log });
    gates.push([hook, gate]);
    return gate;
  };
  const answererOf = (hook: HookName): Answerer | undefined => {
    const ask = embedded?.hooks[hook];
    if (ask !== undefined) return { ask };
    const url = config[urlOptions[hook]];
    return url === '' ? undefined : { endpoint: endpointOf(url) };
  };
  const hooks: { [N in HookName]?: AskedHook } = {};
  for (const hook of hookNames) {
    const answerer = answererOf(hook);
    if (answerer === undefined) continue;
    hooks[hook] = { answerer, gate: gateOf(hook), failsOpen: config.hookFailOpen.includes(hook) };
  }
  const application = hookedApplication({
    hooks,
    handlers: embedded?.handlers ?? new Map(),
    handlerGate: embedded && (hooks.call?.gate ?? gateOf('call')),
    isOwn: isCanary,
    refusal,
    payloadMaxBytes: config.payloadMaxBytes,
  });
  metrics.onScrape(() => {
    for (const [hook, gate] of gates) metrics.hooksWaiting.set({ hook }, gate.size);
  });
  const events =
    config.hookEvents === ''
      ? undefined
      : new ApplicationEvents({
          endpoint: endpointOf(config.hookEvents),
          gateway: [hostname(), config.port, node].filter((part) => part !== undefined).join('/'),
          queueMaxBytes: config.eventQueueMaxBytes,
          timeoutMs: config.hookTimeoutMs,
          monotonicMs,
          isOwn: isCanary,
          metrics,
          log,
        });
  return { application, events };
}
