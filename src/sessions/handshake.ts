import { presentedCredential } from '../auth/api-keys.ts';
import { addressKey, type ClientAddress } from '../auth/client-address.ts';
import { type Credentials, needsCredentials, type Verdict } from '../auth/credentials.ts';
import type { Identity } from '../auth/identity.ts';
import type { Refused } from '../auth/refusals.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import type { RequestFacts } from '../auth/request-facts.ts';
import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Codec } from '../protocol/codec.ts';
import { negotiate } from '../protocol/codecs.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { isPattern, patternProblem, topicProblem } from '../topics/topic-name.ts';
import type { Holder } from './connection-caps.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import type { Peer } from './session.ts';

/** A request to open a connection. Its parts are read while `ask` runs, not after. */
export interface HandshakeRequest extends RequestFacts {
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  readonly query: string;
  /** All lines of `X-Forwarded-For`, joined by commas. Read on demand: few gateways are behind proxies. */
  readonly forwardedFor: string;
}

/** What a request to connect asks for, copied out of it. */
export interface ConnectionRequest {
  readonly address: string;
  readonly addressKey: string;
  readonly codec: Codec;
  /** The subprotocol that the response names; empty when the client offered none. */
  readonly subprotocol: string;
  /** The topic of the path. The session is subscribed to it at once. */
  readonly topic: string | undefined;
  readonly credential: string;
  /** Of the page that connects; empty: none. */
  readonly origin: string;
  /** The identity of a client without a credential. */
  readonly fallback: Identity;
}

export interface HandshakeOptions {
  readonly requestAccess: RequestAccess;
  readonly credentials: Credentials;
  /** The identity of a client without a credential, by where it comes from. */
  readonly identityOf: (request: RequestFacts) => Identity;
  readonly clientAddress: ClientAddress;
  readonly connectionLimits: ConnectionLimits;
  readonly isDraining: () => boolean;
  readonly refused: Refused;
}

/** Decides about a connection before it is one: origin, caps, rate, subprotocol, path, credentials. */
export class Handshake {
  readonly #options: HandshakeOptions;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** For a client that connects. Takes a handshake from the bucket of its address. */
  ask(request: HandshakeRequest): ConnectionRequest | SluiceError {
    const { connectionLimits, refused, clientAddress } = this.#options;
    const asked = this.#ask(request, (holder) => connectionLimits.handshakeProblem(holder));
    if (asked instanceof SluiceError) {
      refused('upgrade', asked, { address: clientAddress(request), origin: request.header('origin') });
    }
    return asked;
  }

  /** For a client that only asks whether it may connect. Returns the same as `ask`, and takes nothing. */
  inquire(request: HandshakeRequest): ConnectionRequest | SluiceError {
    return this.#ask(request, (holder) => this.#options.connectionLimits.outlook(holder));
  }

  #ask(
    request: HandshakeRequest,
    limitProblem: (holder: Holder) => SluiceError | undefined,
  ): ConnectionRequest | SluiceError {
    const { requestAccess, clientAddress, identityOf } = this.#options;
    const draining = this.#drainingProblem();
    if (draining !== undefined) return draining;
    const problem = requestAccess.upgradeProblem(request);
    if (problem !== undefined) return problem;
    const address = clientAddress(request);
    const key = addressKey(address);
    const credential = tokenOfQuery(request.query) ?? presentedCredential((name) => request.header(name));
    const fallback = identityOf(request);
    const unauthenticated = credential === '' && fallback.unauthenticated === true;
    const full = limitProblem({ addressKey: key, unauthenticated });
    if (full !== undefined) return full;
    const offered = request.header('sec-websocket-protocol');
    const codec = negotiate(offered === '' ? undefined : offered);
    if (codec === undefined) return new SluiceError('unknown_subprotocol');
    const topic = topicOfPath(request.path);
    if (topic instanceof SluiceError) return topic;
    return {
      address,
      addressKey: key,
      codec,
      subprotocol: offered === '' ? '' : codec.subprotocol,
      topic,
      credential,
      origin: request.header('origin'),
      fallback,
    };
  }

  /** Whose credential the connecting client has. Never rejects. */
  identify(asked: ConnectionRequest): Verdict | Promise<Verdict> {
    return whenDone(this.#identify(asked), (verdict) => {
      if (verdict instanceof SluiceError) this.#options.refused('upgrade', verdict, asked);
      return verdict;
    });
  }

  #identify({ credential, fallback }: ConnectionRequest): Verdict | Promise<Verdict> {
    const { credentials } = this.#options;
    // A gateway that needs no credentials can't verify one, and lets the client in without it.
    return credential === '' || !needsCredentials(credentials) ? fallback : credentials.identify(credential);
  }

  /** For a client that inquires: why it may not connect, or `upgrade_required`: it may. */
  explain(asked: ConnectionRequest): SluiceError | Promise<SluiceError> {
    const answer = (identity: Verdict) =>
      identity instanceof SluiceError
        ? identity
        : (this.#drainingProblem() ??
          this.#options.connectionLimits.problem(holderOf(asked, identity)) ??
          new SluiceError('upgrade_required'));
    return whenDone(this.#identify(asked), answer);
  }

  /** Takes the place, now that nothing else can fail. Others may have come while the token was verified. */
  admit(asked: ConnectionRequest, identity: Identity): Peer | SluiceError {
    const draining = this.#drainingProblem();
    if (draining !== undefined) return draining;
    const seat = this.#options.connectionLimits.take(holderOf(asked, identity));
    if (seat instanceof SluiceError) return seat;
    const { address, addressKey: key } = asked;
    return { identity, address, addressKey: key, seat };
  }

  #drainingProblem(): SluiceError | undefined {
    return this.#options.isDraining() ? shuttingDown() : undefined;
  }
}

function holderOf({ addressKey: key }: ConnectionRequest, { user, unauthenticated }: Identity): Holder {
  return { addressKey: key, user, unauthenticated };
}

function shuttingDown(): SluiceError {
  return new SluiceError('shutting_down', undefined, { retryAfterMs: 1000 });
}

/** An empty token is none: what a page's template leaves empty must not hide a credential in the headers. */
function tokenOfQuery(query: string): string | undefined {
  return query === '' ? undefined : new URLSearchParams(query).getAll('token').find((token) => token !== '');
}

/**
 * After the first segment, which is the transport's own (`/ws`): nothing, `monitoring/{server}` for that server's
 * topic, or `{topic}` as one segment.
 */
function topicOfPath(path: string): string | undefined | SluiceError {
  const rest = path.replace(/^\/[^/]*\/?/, '');
  if (rest === '') return undefined;
  const monitoring = /^monitoring\/([^/]+)$/.exec(rest)?.[1];
  const segment = monitoring ?? rest;
  if (segment.includes('/')) {
    return new SluiceError('not_found', 'a topic is one percent-encoded segment of the path');
  }
  let name: string;
  try {
    name = decodeURIComponent(segment);
  } catch {
    return new SluiceError('invalid_topic', 'the path is not percent-encoded UTF-8');
  }
  const topic = canonicalTopic(monitoring === undefined ? name : `server:${name}`);
  const problem = isPattern(topic) ? patternProblem(topic) : topicProblem(topic);
  return problem === undefined ? topic : new SluiceError('invalid_topic', problem);
}
