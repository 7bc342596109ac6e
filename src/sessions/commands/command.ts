import type { Authorize } from '../../auth/authorize.ts';
import type { Verdict } from '../../auth/credentials.ts';
import type { Identity } from '../../auth/identity.ts';
import type { Awaitable } from '../../awaitable.ts';
import type { SluiceError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { CommandHead, CommandKind, Commands } from '../../protocol/client-frames.ts';
import type { Payload } from '../../protocol/frames.ts';
import type { Reply } from '../../protocol/server-frames.ts';
import type { Broker } from '../../topics/broker.ts';
import type { Application } from '../application.ts';
import type { Session } from '../session.ts';
import type { Subscriber } from '../subscriptions/subscribe.ts';
import type { Inbox } from '../users/inbox.ts';
import type { Presence } from '../users/presence.ts';

/** Who sessions are. Consumer: the commands that change it. */
export interface Identities {
  /** Replies to `connect`. */
  greet(session: Session, id: number): void;
  /** Counts and logs that the credential of the session was refused, or missing. */
  credentialRefused(session: Session, error: SluiceError): void;
  /** Counts the session as a connection of this identity. Returns why the user may have no more of them. */
  reseat(session: Session, identity: Identity): Awaitable<SluiceError | undefined>;
  /** Gives the session another identity, with its topics. */
  identified(session: Session, identity: Identity): void;
  /** A command of the session failed, and to send it again would not help. */
  refusedForGood(session: Session): void;
}

export interface CommandOptions {
  readonly broker: Broker;
  readonly presence: Presence;
  readonly inbox: Pick<Inbox, 'acknowledge' | 'received'>;
  readonly subscriber: Subscriber;
  /** Verifies a token or key. Never rejects. */
  readonly identify: (credential: string) => Awaitable<Verdict>;
  /** Why an identity is not admitted any more. */
  readonly refusal: (identity: Identity) => SluiceError | undefined;
  readonly authorize: Authorize;
  readonly payloadMaxBytes: number;
  readonly application: Application;
  readonly metrics: Pick<Metrics, 'clientRoundTripSeconds'>;
  readonly identities: Identities;
  /** Answers a request to the application, or throws an error of the table. Undefined: it has no such method. */
  readonly answerCall?: (session: Session, method: string) => Awaitable<Payload> | undefined;
  /** Charges a large reply. */
  readonly repliedLarge: (session: Session, bytes: number) => void;
  /** Runs a part of a command that `begin` has left for later, and charges its time. */
  readonly timed: (session: Session, run: () => void) => void;
}

/** A command of this kind. */
export type Fields<K extends CommandKind> = Commands[K] & CommandHead;

/** The reply; undefined: the command has replied by itself. */
export type CommandReply = Reply | undefined;
