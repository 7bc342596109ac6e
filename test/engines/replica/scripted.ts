import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import type {
  Batch,
  BatchReply,
  Picture,
  Upstream,
  UpstreamListener,
} from '../../../src/engines/replica/upstream.ts';
import type { AppendOutcome, EngineFeed, StoredTopic } from '../../../src/topics/engine.ts';
import { StoredPublication } from '../../../src/topics/publication.ts';
import { fields } from '../../topics/fixtures.ts';

interface Commit {
  readonly topic: string;
  readonly publication: StoredPublication;
}

/** What a script does with a batch. */
interface ScriptedCall {
  readonly batch: Batch;
  answer(answer: BatchReply): void;
  fail(): void;
}

/** An upstream that does what a test says, when it says so. */
export class ScriptedUpstream implements Upstream {
  readonly name = 'scripted';
  epoch = 'commits';
  former: Picture['former'];
  forgottenSeq = 0;
  readonly commits: Commit[] = [];
  /** Topics of which less is kept than was published: from this offset on. */
  readonly keptFrom = new Map<string, number>();
  /** Topics that may have had another numbering, up to this commit. */
  readonly bornAfter = new Map<string, number>();
  /** Topics without content. */
  readonly idle = new Set<string>();
  /** Topics without a numbering. */
  readonly dropped = new Set<string>();
  readonly asked: ScriptedCall[] = [];
  readonly loaded: string[] = [];
  /** Called when the first picture was taken. */
  beforeOpened: () => void = () => undefined;
  /** Called before a topic is loaded. */
  beforeLoad: (topic: string) => Promise<void> | void = () => undefined;
  #listener: UpstreamListener | undefined;

  async open(listener: UpstreamListener): Promise<void> {
    this.#listener = listener;
    await listener.picture(this.picture());
    this.beforeOpened();
  }

  /** Commits a publication for each topic that is named: `a b a` is two of a and one of b. The node is not told. */
  publish(topics: string): void {
    for (const topic of topics.split(' ')) {
      const offset = this.#of(topic).length + 1;
      const seq = this.commits.length + 1;
      this.commits.push({ topic, publication: new StoredPublication(fields(topic), offset, seq, 0, 0) });
    }
  }

  /** Tells the node of the commits after this one, up to that one. */
  tell(afterSeq: number, uptoSeq = this.commits.length): void {
    const changes = this.commits.slice(afterSeq, uptoSeq).map(({ topic, publication }) => ({
      ...({ kind: 'appended', epoch: `of ${topic}`, publication } as const),
      isOwn: false,
      idsUntilMs: 0,
    }));
    this.#listener?.changes(changes);
  }

  /** The node missed some, and is shown all there is. */
  async show(): Promise<void> {
    await this.#listener?.picture(this.picture());
  }

  away(cause: Error | undefined): void {
    this.#listener?.degraded(cause);
  }

  picture(): Picture {
    const topics = new Set(this.commits.map(({ topic }) => topic));
    for (const topic of this.dropped) topics.delete(topic);
    const heads = [...topics].map((topic) => {
      const { offset, seq } = this.#of(topic).at(-1) as StoredPublication;
      const numbering = { epoch: `of ${topic}`, offset, seq, bornAfterSeq: this.bornAfter.get(topic) ?? 0 };
      const idleAtSeq = this.idle.has(topic) ? seq : undefined;
      return [topic, { ...numbering, idleAtSeq, idsUntilMs: 0 }] as const;
    });
    const seq = this.commits.length;
    return {
      epoch: this.epoch,
      seq,
      forgottenSeq: this.forgottenSeq,
      former: this.former,
      heads: new Map(heads),
      acknowledged: [],
    };
  }

  commit(batch: Batch): Promise<BatchReply> {
    return new Promise((resolve, reject) =>
      this.asked.push({ batch, answer: resolve, fail: () => reject(new Error('no answer')) }),
    );
  }

  async newest(): Promise<Pick<BatchReply, 'epoch' | 'seq'>> {
    return { epoch: this.epoch, seq: this.commits.length };
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    this.loaded.push(topic);
    await this.beforeLoad(topic);
    const all = this.#of(topic);
    const { offset, seq } = all.at(-1) as StoredPublication;
    const from = this.keptFrom.get(topic) ?? 1;
    return {
      epoch: `of ${topic}`,
      offset,
      seq,
      bornAfterSeq: 0,
      evictedSeq: all[from - 2]?.seq ?? 0,
      publications: all.slice(from - 1),
      state: [],
    };
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #of(topic: string): StoredPublication[] {
    return this.commits.filter((each) => each.topic === topic).map(({ publication }) => publication);
  }
}

/** Writes down what it is told, in order: `a 1-3`, `reset a 4 with 4-4`. */
class WrittenFeed implements EngineFeed {
  readonly heard: string[] = [];

  appended(topic: string, _epoch: string, publications: readonly StoredPublication[]): void {
    this.heard.push(`${topic} ${spanOf(publications)}`);
  }

  reset(topic: string, _epoch: string, offset: number, stored?: StoredTopic, commonSeq?: number): void {
    const content = stored ? ` with ${spanOf(stored.publications)}` : '';
    const common = commonSeq === undefined ? '' : `, all after ${commonSeq}`;
    this.heard.push(`reset ${topic} ${offset}${content}${common}`);
  }

  missed(): void {
    this.heard.push('missed some');
  }

  degraded(cause: Error | undefined): void {
    this.heard.push(cause?.message ?? 'back');
  }
}

function spanOf(publications: readonly StoredPublication[]): string {
  return publications.length === 0 ? 'nothing' : `${publications[0]?.offset}-${publications.at(-1)?.offset}`;
}

/** A node that was opened when its upstream had published this, and that has loaded these topics. */
export async function openNode(published = '', ...load: readonly string[]) {
  const upstream = new ScriptedUpstream();
  if (published !== '') upstream.publish(published);
  const feed = new WrittenFeed();
  const engine = new ReplicaEngine({ upstream });
  await engine.open(feed);
  for (const topic of load) await engine.load(topic);
  return { upstream, engine, heard: feed.heard };
}

export function succeeded(topic: string, offset: number): AppendOutcome {
  return { ok: true, epoch: `of ${topic}`, offset, duplicate: false };
}
