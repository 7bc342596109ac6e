import { type Revocation, Revocations, revocationKey } from '../auth/revocations.ts';
import { SluiceError } from '../errors.ts';
import { type PublishFields, publishOf } from '../protocol/publication.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { revocationsTopic } from '../topics/topic-name.ts';

/**
 * Revocations are the values of a state topic of Sluice's own: so the engine keeps them as long as they are needed, and
 * every node that shares it hears of them.
 */
export class RevocationStage {
  readonly revocations = new Revocations();
  readonly #broker: Broker;
  readonly #sessions: () => Pick<Sessions, 'all' | 'sendAway'>;

  constructor(broker: Broker, sessions: () => Pick<Sessions, 'all' | 'sendAway'>) {
    this.#broker = broker;
    this.#sessions = sessions;
  }

  /** Reads what is there. Call it once the broker is open. */
  async load(): Promise<void> {
    await this.#broker.load(revocationsTopic);
    // Kept as long as the gateway runs: another node's revocations are heard of, too.
    const topic = this.#broker.retain(revocationsTopic);
    for (const publication of topic.snapshot(this.#broker.nowMs())) this.#apply(publication);
  }

  /** The broker's feed. */
  appended({ name }: Topic, publications: readonly StoredPublication[]): void {
    if (name === revocationsTopic) this.#applyAll(publications);
  }

  /** The topic's content was replaced. What is revoked stays revoked. */
  reset(topic: Topic): void {
    if (topic.name === revocationsTopic) this.#applyAll(topic.snapshot(this.#broker.nowMs()));
  }

  /** Resolves once the engine has it. Rejects with its error. */
  revoke(revocation: Revocation): Promise<void> {
    const { id, atMs, untilMs } = revocation;
    const ttlMs = untilMs === undefined ? undefined : Math.max(1, untilMs - this.#broker.wallMs());
    return this.#publish(revocationKey(revocation), 'revoked', { id, atMs, untilMs }, { ttlMs });
  }

  /** Resolves with whether there was such a revocation. */
  async restore(key: string): Promise<boolean> {
    const isThere = this.revocations.has(key);
    if (isThere) await this.#publish(key, 'restored', {}, { removed: true });
    return isThere;
  }

  async #publish(
    key: string,
    type: string,
    data: object,
    more: Partial<Pick<PublishFields, 'ttlMs' | 'removed'>>,
  ): Promise<void> {
    const payload = { format: 'json', bytes: Buffer.from(JSON.stringify(data)) } as const;
    const fields = publishOf({ topic: revocationsTopic, type, key, payload, ...more });
    const [outcome] = await this.#broker.publish([fields]);
    if (outcome?.ok !== true) throw outcome?.error ?? new SluiceError('internal');
  }

  #applyAll(publications: Iterable<StoredPublication>): void {
    for (const publication of publications) this.#apply(publication);
    const sessions = this.#sessions();
    const isRevoked = ({ identity }: Session) => this.revocations.refusal(identity) !== undefined;
    sessions.sendAway([...sessions.all()].filter(isRevoked), 'unauthorized');
  }

  #apply({ key = '', removed, payload }: StoredPublication): void {
    if (removed === true) {
      this.revocations.delete(key);
      return;
    }
    const text = Buffer.from(payload.bytes).toString();
    const { id, atMs, untilMs } = JSON.parse(text) as Omit<Revocation, 'kind'>;
    this.revocations.set({ kind: key.startsWith('user:') ? 'user' : 'token', id, atMs, untilMs });
  }
}
