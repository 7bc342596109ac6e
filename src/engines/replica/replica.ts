import type { EngineFeed, Numbering, StoredTopic } from '../../topics/engine.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import { Heads, headOf } from './heads.ts';
import { hasSuccessorsOf, type LatePublication, storedAsOf, withoutContent } from './stored-topic.ts';
import type { Change, Picture, UpstreamHead } from './upstream.ts';

/** Maximum topics that are loaded at the same time after a picture. */
const loadsAtOnceMax = 32;

type Load = (topic: string) => Promise<StoredTopic | undefined>;
type Appended = Extract<Change, { kind: 'appended' }>;

/** Consecutive publications of one topic that the feed has not heard of yet. */
interface Run {
  readonly topic: string;
  readonly epoch: string;
  readonly publications: StoredPublication[];
}

/** A topic that differs from the picture. */
interface Correction {
  readonly topic: string;
  readonly head: UpstreamHead;
  /** The topic as of the picture. */
  readonly stored: StoredTopic;
}

/**
 * What a node knows of its upstream, and what its feed has heard. Changes keep both up to date, and a picture does
 * where changes are missing. Each method runs in one turn, except for what must be loaded first.
 */
export class Replica {
  readonly heads = new Heads();
  readonly #feed: EngineFeed;
  /** Topics being loaded, with what was appended to them meanwhile. */
  readonly #loading = new Map<string, LatePublication[]>();
  /** Fewer after each failure: loads wait for each other, so that a slow upstream would never return all in time. */
  #loadsAtOnce = loadsAtOnceMax;
  #run: Run | undefined;
  #failure: unknown;
  #hasPicture = false;
  epoch = '';
  seq = 0;
  forgottenSeq = 0;

  constructor(feed: EngineFeed) {
    this.#feed = feed;
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'appended') this.#append(change);
      else if (change.kind === 'dropped') this.#drop(change.topics, change.forgottenSeq);
    }
    this.#tell();
    this.#throwFailure();
  }

  /** Returns what the feed lacks of a topic; undefined: nothing. */
  async load(topic: string, load: Load): Promise<StoredTopic | undefined> {
    const head = this.heads.get(topic);
    if (head === undefined || head.isFed) return undefined;
    const later = this.#loading.get(topic) ?? [];
    this.#loading.set(topic, later);
    let stored: StoredTopic | undefined;
    try {
      stored = await load(topic);
    } finally {
      this.#loading.delete(topic);
    }
    const now = this.heads.get(topic);
    if (now === undefined) return undefined;
    now.isFed = true;
    if (stored !== undefined || later.length > 0) return storedAsOf(now, stored, later);
    this.heads.setIdle(topic, now, this.seq);
    return undefined;
  }

  /** Brings the replica and the feed to the state of the picture. Rejects if a load does; then nothing has changed. */
  async take(picture: Picture, load: Load): Promise<void> {
    if (!this.#hasPicture) this.heads.fill(picture.heads);
    else {
      const corrections = await this.#corrections(picture, load);
      const hasMissed = picture.epoch !== this.epoch || picture.forgottenSeq > this.seq;
      this.#loseUnknown(picture.heads, hasMissed);
      if (hasMissed) this.#guard(() => this.#feed.missed?.(picture));
      this.#correct(picture, corrections, hasMissed);
    }
    this.#hasPicture = true;
    this.epoch = picture.epoch;
    this.seq = Math.max(this.seq, picture.seq);
    this.forgottenSeq = picture.forgottenSeq;
    this.#throwFailure();
  }

  /** Drops the content of the topic on this node. */
  forget(topic: string): void {
    const head = this.heads.get(topic);
    if (head === undefined) return;
    if (head.isDropped) this.heads.delete(topic);
    else this.heads.setIdle(topic, head, this.seq);
  }

  isLoading(topic: string): boolean {
    return this.#loading.has(topic);
  }

  // ---- changes

  #append({ epoch, publication, isOwn, idsUntilMs }: Appended): void {
    const { topic, offset, seq } = publication;
    if (seq <= this.seq) return;
    this.seq = seq;
    const former = this.heads.known(topic);
    const head = this.heads.get(topic);
    const isSame = former?.epoch === epoch;
    const bornAfterSeq = isSame ? former.bornAfterSeq : this.forgottenSeq;
    const isUnfed = head !== undefined && !head.isFed && !isOwn;
    const later = this.#loading.get(topic);
    if (later === undefined && !isUnfed) {
      if (former !== undefined && !isSame) this.#begin(topic, epoch, offset - 1);
      this.#addToRun(epoch, publication);
    } else later?.push({ epoch, publication });
    const latestIdMs = Math.max(isSame ? (head?.idsUntilMs ?? 0) : 0, idsUntilMs);
    const isFed = later === undefined && !isUnfed;
    if (isSame && this.heads.advance(topic, offset, seq, latestIdMs, isFed)) return;
    // One literal: for each publication, an object of spread parts takes several times as long.
    const next = { epoch, offset, seq, bornAfterSeq, idsUntilMs: latestIdMs, isFed, isDropped: false };
    this.heads.set(topic, next);
  }

  #begin(topic: string, epoch: string, offset: number): void {
    this.#tell();
    this.#guard(() => this.#feed.reset(topic, epoch, offset));
  }

  #addToRun(epoch: string, publication: StoredPublication): void {
    const { topic } = publication;
    if (this.#run?.topic === topic && this.#run.epoch === epoch) {
      this.#run.publications.push(publication);
      return;
    }
    this.#tell();
    this.#run = { topic, epoch, publications: [publication] };
  }

  #tell(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.#guard(() => this.#feed.appended(run.topic, run.epoch, run.publications));
    this.heads.woke(run.topic);
  }

  #drop(topics: readonly string[], forgottenSeq: number): void {
    this.#tell();
    for (const topic of topics) this.heads.drop(topic);
    this.forgottenSeq = Math.max(this.forgottenSeq, forgottenSeq);
  }

  /** Keeps the first error of the feed for the end, so that later changes are delivered all the same. */
  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  // ---- pictures

  /** Loads the topics that the feed may know and that differ from the picture. */
  async #corrections(picture: Picture, load: Load): Promise<Correction[]> {
    const changed = [...picture.heads].filter(([topic, head]) => !this.#isUpToDate(topic, head));
    const corrections: Correction[] = [];
    const next = changed.values();
    const work = async () => {
      for (const [topic, head] of next) {
        const stored = head.idleAtSeq === undefined ? await load(topic) : undefined;
        corrections.push({
          topic,
          head,
          stored: stored === undefined ? withoutContent(head) : storedAsOf(head, stored, []),
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: this.#loadsAtOnce }, work));
    } catch (error) {
      this.#loadsAtOnce = Math.ceil(this.#loadsAtOnce / 4);
      throw error;
    }
    this.#loadsAtOnce = loadsAtOnceMax;
    return corrections;
  }

  #isUpToDate(topic: string, { epoch, offset }: Numbering): boolean {
    const known = this.heads.known(topic);
    return known?.epoch === epoch && known.offset === offset;
  }

  /**
   * Runs in one turn. It tells first of the publications that continue what the feed has had, in the order of their
   * commits, and then of topics that are replaced: a subscriber that leaves its view for that takes the newest commit
   * for all that it was sent.
   */
  #correct(picture: Picture, corrections: readonly Correction[], hasMissed: boolean): void {
    const appended: { readonly epoch: string; readonly publication: StoredPublication }[] = [];
    const replaced: Correction[] = [];
    for (const correction of corrections) {
      const { topic, stored } = correction;
      if (this.heads.get(topic)?.isFed === false) continue;
      const known = this.heads.known(topic);
      // Of a topic that is new here, another numbering may have come and gone.
      if (hasSuccessorsOf(known, stored) && (known !== undefined || !hasMissed)) {
        const after = known?.offset ?? 0;
        for (const publication of stored.publications)
          if (publication.offset > after) appended.push({ epoch: stored.epoch, publication });
      } else replaced.push(correction);
    }
    appended.sort((a, b) => a.publication.seq - b.publication.seq);
    for (const { epoch, publication } of appended) this.#addToRun(epoch, publication);
    this.#tell();
    for (const { topic, stored } of replaced)
      this.#guard(() =>
        this.#feed.reset(topic, stored.epoch, stored.offset, stored, this.#commonSeq(picture)),
      );
    this.seq = Math.max(this.seq, picture.seq);
    for (const { topic, head } of corrections) this.#setHead(topic, head);
  }

  /** See `EngineFeed.reset`. The commits of another numbering have the same `seq` as others that were heard of. */
  #commonSeq({ epoch, former }: Picture): number | undefined {
    if (epoch === this.epoch) return undefined;
    return former?.epoch === this.epoch ? former.keptSeq : 0;
  }

  #setHead(topic: string, head: UpstreamHead): void {
    const before = this.heads.get(topic);
    // A topic that was there stays in the feed without content, until the feed forgets it.
    if (head.idleAtSeq !== undefined && before === undefined) this.heads.setIdle(topic, head, head.idleAtSeq);
    else {
      this.heads.woke(topic);
      this.heads.set(topic, headOf(head, before?.isFed !== false));
    }
  }

  /** Drops the topics that the upstream does not know any more, and resets them if they may have had more. */
  #loseUnknown(heads: ReadonlyMap<string, UpstreamHead>, hasMissed: boolean): void {
    for (const topic of [...this.heads.idleNames(), ...this.heads.withContent()]) {
      if (heads.has(topic)) continue;
      this.heads.drop(topic);
      if (!hasMissed) continue;
      this.heads.delete(topic);
      this.#guard(() => this.#feed.reset(topic, '', 0));
    }
  }
}
