import type { PublishFields } from '../../../src/protocol/frames.ts';
import type { AcknowledgedLimits } from '../../../src/topics/acknowledged.ts';
import type { AppendOutcome, AppendRequest, Engine, EngineFeed } from '../../../src/topics/engine.ts';
import { type MessageIdLimits, messageIdLimits } from '../../../src/topics/message-id-budget.ts';
import type { StoredPublication } from '../../../src/topics/publication.ts';
import { ofTest } from '../../support/opened.ts';
import { FakeClock, fields } from '../../topics/fixtures.ts';

/** Makes an engine that is not open yet. Those that one of these makes share what is stored. */
export type MakeEngine = (options: EngineTestOptions) => Engine | Promise<Engine>;

export interface EngineTestOptions {
  readonly nowMs: () => number;
  /** What a retaining engine keeps of a topic. */
  readonly ring: { readonly maxPublications: number; readonly maxBytes: number; readonly maxAgeMs: number };
  readonly isState: (topic: string) => boolean;
  /** Numberings of topics without content that it keeps. */
  readonly numberingsMax: number;
  readonly messageIds: MessageIdLimits;
  readonly acknowledged: AcknowledgedLimits;
}

export const numberingsMax = 3;
export const acknowledgedMax = { total: 6, perUser: 3 };
export const ring = { maxPublications: 10, maxBytes: 1_048_576, maxAgeMs: 3_600_000 };

interface Fed {
  readonly topic: string;
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
}

class RecordingFeed implements EngineFeed {
  readonly fed: Fed[] = [];
  readonly resets: { topic: string; epoch: string; offset: number }[] = [];
  readonly causes: (Error | undefined)[] = [];

  /** Called while the engine tells of new publications. */
  hook: (topic: string) => void = () => undefined;

  appended(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    this.hook(topic);
    this.fed.push({ topic, epoch, publications });
  }

  reset(topic: string, epoch: string, offset: number): void {
    this.resets.push({ topic, epoch, offset });
  }

  degraded(cause: Error | undefined): void {
    this.causes.push(cause);
  }

  of(topic: string): StoredPublication[] {
    return this.fed.filter((each) => each.topic === topic).flatMap(({ publications }) => publications);
  }

  offsets(topic: string): number[] {
    return this.of(topic).map(({ offset }) => offset);
  }
}

export function request(
  topic: string,
  more: Partial<PublishFields> = {},
  publishedAtMs = 1000,
): AppendRequest {
  return { fields: fields(topic, more), publishedAtMs, acceptedAtMs: 5 };
}

export function positions(outcomes: readonly AppendOutcome[]) {
  return outcomes.map((outcome) =>
    outcome.ok ? { epoch: outcome.epoch, offset: outcome.offset } : undefined,
  );
}

/** Opens an engine with a store of its own, and opens further ones of the same store. After the test all are closed. */
export function opener(newStore: () => MakeEngine) {
  return async (messageIds = messageIdLimits) => {
    const make = newStore();
    const clock = new FakeClock();
    const reopen = async () => {
      const feed = new RecordingFeed();
      const engine = await make({
        nowMs: clock.read,
        ring,
        isState: (topic) => topic.startsWith('state'),
        numberingsMax,
        messageIds,
        acknowledged: acknowledgedMax,
      });
      await ofTest(engine).open(feed);
      return { engine, feed };
    };
    return { ...(await reopen()), clock, reopen };
  };
}

export type Opened = ReturnType<typeof opener>;

/** What of a publication must survive; when this process accepted it needn't. */
export function plain(publication: StoredPublication | undefined) {
  if (publication === undefined) return undefined;
  const {
    topic,
    offset,
    publishedAtMs,
    timestampMs,
    type,
    payload,
    key,
    tags,
    removed,
    except,
    expiresAtMs,
  } = publication;
  const bytes = [...payload.bytes];
  return {
    topic,
    offset,
    publishedAtMs,
    timestampMs,
    type,
    format: payload.format,
    bytes,
    key,
    tags,
    removed,
    except,
    expiresAtMs,
  };
}
