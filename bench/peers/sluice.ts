import { register } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import type * as ConfigModule from '../../src/config.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type * as CollectorModule from '../../src/server/collector-threads.ts';
import type * as HeapModule from '../../src/server/heap-growth.ts';
import type * as ServerModule from '../../src/server.ts';
import type { TracedFields } from '../support/trace.ts';
import { serveCalls } from '../support/worker.ts';
import { peerHandlers } from './peer.ts';

/** A gateway with a publisher in its process, as in the raw uWebSockets.js server. */

// The output of `npm run build`, which is what ships.
const built = (file: string) => import(new URL(`../../dist/${file}`, import.meta.url).href);

let server: ServerModule.RunningServer | undefined;

const allows = async () => ({ allow: true }) as const;
const embedded = { hooks: { connect: allows, subscribe: allows, publish: allows }, handlers: new Map() };

const handlers = peerHandlers({
  async start({ flags, hooks = 'off' }) {
    if (hooks === 'cut') register('../support/without-hooks.ts', import.meta.url);
    // As the command does.
    const { collectByLoop } = (await built('server/collector-threads.js')) as typeof CollectorModule;
    collectByLoop();
    const { boundHeapGrowth } = (await built('server/heap-growth.js')) as typeof HeapModule;
    setInterval(boundHeapGrowth, 1000);
    const { loadConfig } = (await built('config.js')) as typeof ConfigModule;
    const { startServer } = (await built('server.js')) as typeof ServerModule;
    const config = loadConfig({ flags: { port: 0, logLevel: 'warn', ...flags } });
    server = await startServer(config, hooks === 'on' ? { embedded } : {});
    return server.port;
  },
  send(topic, message, { tags }) {
    const payload = { format: 'json', bytes: message } as const;
    const outcomes = server!.broker.publish([publishOf({ topic, type: 'update', payload, tags })]);
    return outcomes instanceof Promise ? outcomes.then(([outcome]) => outcome!.ok) : outcomes[0]!.ok;
  },
});

interface ReplayJob {
  readonly topic: string;
  readonly trace: readonly TracedFields[];
  /** Published together. */
  readonly together: number;
  readonly everyMs: number;
}

/** Publishes each recorded update once. */
async function replay({ topic, trace, together, everyMs }: ReplayJob): Promise<void> {
  for (let at = 0; at < trace.length; at += together) {
    const fields = trace.slice(at, at + together).map((each) => ({ topic, ...each }));
    for (const outcome of await server!.broker.publish(fields)) if (!outcome.ok) throw outcome.error;
    await setTimeout(everyMs);
  }
}

const all = { ...handlers, replay };
export type SluiceCalls = typeof all;
serveCalls(all);
