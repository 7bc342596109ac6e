import { type BatchReply, isKept, type Picture } from './upstream.ts';

type Commit = Pick<BatchReply, 'epoch' | 'seq'>;

interface WaitingCommit {
  readonly commit: Commit;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const lost = 'the engine lost its newest publications';

/** Promises that resolve when the feed has heard of a commit. */
export class HeardCommits {
  #waiting: WaitingCommit[] = [];
  #picture: Pick<Picture, 'epoch' | 'former'> = { epoch: '' };
  #seq = 0;

  /**
   * Resolves once the feed has heard of it; rejects if the upstream lost the commit or can't be reached. Undefined: it
   * has already.
   */
  of(commit: Commit): Promise<void> | undefined {
    if (!this.isKept(commit)) return Promise.reject(new Error(lost));
    if (this.#has(commit)) return undefined;
    return new Promise((resolve, reject) => this.#waiting.push({ commit, resolve, reject }));
  }

  /** Whether the upstream still has it. */
  isKept(commit: Commit): boolean {
    return isKept(this.#picture, commit);
  }

  /** The feed has heard of everything in the picture. */
  picture(picture: Pick<Picture, 'epoch' | 'former' | 'seq'>): void {
    this.#picture = picture;
    this.upTo(picture.seq);
    const lostOnes = this.#waiting.filter(({ commit }) => !this.isKept(commit));
    this.#waiting = this.#waiting.filter(({ commit }) => this.isKept(commit));
    for (const { reject } of lostOnes) reject(new Error(lost));
  }

  /** The feed has heard of everything up to here. */
  upTo(seq: number): void {
    this.#seq = seq;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ commit }) => !this.#has(commit));
    for (const { commit, resolve } of waiting) if (this.#has(commit)) resolve();
  }

  /** Rejects all of them. Their callers may try again. */
  giveUp(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }

  /** What was kept of a former numbering is in the picture. */
  #has(commit: Commit): boolean {
    return this.isKept(commit) && (commit.epoch !== this.#picture.epoch || commit.seq <= this.#seq);
  }
}
