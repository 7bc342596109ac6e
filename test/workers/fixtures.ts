import { duplexPair } from 'node:stream';
import { createMetrics } from '../../src/metrics.ts';
import { Broker } from '../../src/topics/broker.ts';
import type { Engine, EngineFeed } from '../../src/topics/engine.ts';
import type { TopicOptions } from '../../src/topics/topic.ts';
import type { EngineCalls, EngineNews } from '../../src/workers/calls.ts';
import { Channel } from '../../src/workers/channel.ts';
import { EngineHub, type EngineHubOptions } from '../../src/workers/engine-hub.ts';
import { Link } from '../../src/workers/link.ts';
import { WorkerEngine, type WorkerEngineOptions } from '../../src/workers/worker-engine.ts';

export interface ParentOptions {
  readonly engine: Engine;
  readonly topic: Omit<TopicOptions, 'mode'>;
  readonly isState: (topic: string) => boolean;
  readonly nowMs: () => number;
  /** Whether the parent's own broker hears of commits. Default: true. */
  readonly keepsTopics?: boolean;
  readonly stuck?: EngineHubOptions['stuck'];
}

const deaf: EngineFeed = { appended: () => undefined, reset: () => undefined, degraded: () => undefined };

/** The parent's side, and how a worker joins it, in one process. */
export async function makeParent({
  engine,
  topic,
  isState,
  nowMs,
  keepsTopics = true,
  stuck = () => undefined,
}: ParentOptions) {
  const broker = new Broker({
    engine,
    namespace: (name) => ({ ...topic, mode: isState(name) ? 'state' : 'stream' }),
    metrics: createMetrics({ processMetrics: false }),
    payloadMaxBytes: 65_536,
    topicsMax: 1000,
    topicsMaxPerClient: 1000,
    topicsMaxBytesPerClient: 48 * 2 ** 20,
    historyMaxBytes: 2 ** 28,
    historyMaxBytesPerClient: 2 ** 28,
    nowMs,
  });
  const hub = new EngineHub({ engine, broker, stuck });
  await broker.open(
    { appended: () => undefined, reset: () => undefined, removed: (each) => hub.removed(each) },
    undefined,
    (feed) => hub.feedOf(keepsTopics ? feed : deaf),
  );

  function join(options: Omit<WorkerEngineOptions, 'link'> = {}) {
    const [here, there] = duplexPair();
    const ofParent = new Link<EngineCalls, EngineNews>(new Channel(here));
    ofParent.listen(hub.handlersFor(ofParent));
    const ofWorker = new Link<EngineNews, EngineCalls>(new Channel(there));
    const worker = new WorkerEngine({ link: ofWorker, ...options });
    ofWorker.listen(worker.news);
    const leave = () => {
      hub.left(ofParent);
      ofParent.close(new Error('left'));
      ofWorker.close(new Error('left'));
    };
    return { worker, leave };
  }

  return { broker, hub, join };
}
