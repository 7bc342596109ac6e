import type { Identity } from '../auth/identity.ts';
import type { Seat } from './admission/connection-caps.ts';

/** Who a connection belongs to, and where it comes from. */
export interface Peer {
  readonly identity: Identity;
  readonly address: string;
  readonly addressKey: string;
  /** Its place under the caps on connections. */
  readonly seat: Seat;
  /** Its identity by its credential alone, if the application has added something; absent: `identity`. */
  readonly shown?: Identity;
  /** The headers of its request that the application got, if it has added something to the identity. */
  readonly told?: Readonly<Record<string, string>> | undefined;
  /** The session that its client had before, by what the client says. */
  readonly formerSession?: string | undefined;
  /** Topics that it joins without asking, besides `$all` and its user's; absent: none. */
  readonly joins?: readonly string[];
}

/** The user of its credential. */
export function shownUserOf({ shown, identity }: Pick<Peer, 'shown' | 'identity'>): string | undefined {
  return (shown ?? identity).user;
}
