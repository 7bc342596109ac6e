import type { GatewayCodec } from '../../protocol/codec.ts';
import { isUnauthenticated } from '../admission/unauthenticated.ts';
import type { Session } from '../session.ts';

/** The parts of a session that are used here. */
type ToldSession = Pick<Session, 'codec' | 'identity' | 'endedBy'> & {
  readonly outbox: Pick<Session['outbox'], 'send'>;
};

export interface StateNewsOptions {
  readonly sessions: () => Iterable<ToldSession>;
  /** Whether the gateway can't reach what stores its topics. */
  readonly isDegraded: () => boolean;
  readonly nextTurn: () => Promise<unknown>;
}

/** After this many sessions, other work gets its turn. */
const sessionsPerTurn = 200;

/** Tells every session whether the gateway is degraded. A session that begins later is told by its greeting. */
export class StateNews {
  readonly #options: StateNewsOptions;
  #isTelling = false;
  #hasChanged = false;

  constructor(options: StateNewsOptions) {
    this.#options = options;
  }

  /** Tells all sessions, also those that were told of a change which was undone since. */
  async changed(): Promise<void> {
    this.#hasChanged = true;
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (this.#hasChanged) {
      this.#hasChanged = false;
      await this.#tellAll();
    }
    this.#isTelling = false;
  }

  async #tellAll(): Promise<void> {
    const { sessions, isDegraded, nextTurn } = this.#options;
    const encoded = { true: new Map<GatewayCodec, Uint8Array>(), false: new Map<GatewayCodec, Uint8Array>() };
    let count = 0;
    for (const session of sessions()) {
      if (session.endedBy !== undefined || isUnauthenticated(session)) continue;
      const degraded = isDegraded();
      const { codec } = session;
      const frames = encoded[`${degraded}`];
      const bytes = frames.get(codec) ?? codec.encodeServerFrame({ kind: 'gatewayState', id: 0, degraded });
      frames.set(codec, bytes);
      session.outbox.send(bytes);
      if (++count % sessionsPerTurn === 0) await nextTurn();
    }
  }
}
