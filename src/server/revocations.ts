import { type Revocation, Revocations, revocationKey } from '../auth/revocations.ts';
import { SluiceError } from '../errors.ts';
import { publishOf } from '../protocol/publication.ts';
import type { Session } from '../sessions/session.ts';
import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { revocationsTopic } from '../topics/topic-name.ts';

/**
 * Revocations are the values of a state topic of Sluice's own: so the engine keeps them as long as they are needed, and
 * every node that shares it hears of them.
 */
export interface RevocationStage {
  readonly revocations: Revocations;
  /** Reads what is there. Call it once the broker is open. */
  load(): Promise<void>;
  /** The broker's feed. */
  appended(topic: Topic, publications: readonly StoredPublication[]): void;
  /** The topic's content was replaced. What is revoked stays revoked. */
  reset(topic: Topic): void;
  /** Resolves once the engine has it. Throws its error. */
  revoke(revocation: Revocation): Promise<void>;
  /** Resolves with whether there was such a revocation. */
  restore(key: string): Promise<boolean>;
}

/** `sessions`: those that are open, also of streams and polls. */
export function createRevocations(broker: Broker, sessions: () => Iterable<Session>): RevocationStage {
  const revocations = new Revocations();

  function apply({ key = '', removed, payload }: StoredPublication): void {
    if (removed === true) {
      revocations.delete(key);
      return;
    }
    const { id, atMs, untilMs } = JSON.parse(Buffer.from(payload.bytes).toString()) as Omit<
      Revocation,
      'kind'
    >;
    revocations.set({ kind: key.startsWith('user:') ? 'user' : 'token', id, atMs, untilMs });
  }

  async function publish(key: string, revocation: Revocation | undefined): Promise<void> {
    const { id, atMs, untilMs } = revocation ?? {};
    const fields = publishOf({
      topic: revocationsTopic,
      type: revocation === undefined ? 'restored' : 'revoked',
      key,
      payload: { format: 'json', bytes: Buffer.from(JSON.stringify({ id, atMs, untilMs })) },
      ...(revocation === undefined ? { removed: true } : {}),
      ...(untilMs === undefined ? {} : { ttlMs: Math.max(1, untilMs - broker.wallMs()) }),
    });
    const [outcome] = await broker.publish([fields]);
    if (outcome?.ok !== true) throw outcome?.error ?? new SluiceError('internal');
  }

  function applyAll(publications: Iterable<StoredPublication>): void {
    for (const publication of publications) apply(publication);
    for (const session of [...sessions()])
      if (revocations.refusal(session.identity) !== undefined) session.goAway('unauthorized');
  }

  return {
    revocations,

    async load() {
      await broker.load(revocationsTopic);
      // Kept as long as the gateway runs: another node's revocations are heard of, too.
      const topic = broker.retain(revocationsTopic);
      for (const publication of topic.snapshot(broker.nowMs())) apply(publication);
    },

    appended({ name }, publications) {
      if (name === revocationsTopic) applyAll(publications);
    },

    reset(topic) {
      if (topic.name === revocationsTopic) applyAll(topic.snapshot(broker.nowMs()));
    },

    revoke: (revocation) => publish(revocationKey(revocation), revocation),

    async restore(key) {
      const isThere = revocations.has(key);
      if (isThere) await publish(key, undefined);
      return isThere;
    },
  };
}
