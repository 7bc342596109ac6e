import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { RequestHead } from '../api/http.ts';
import { errorResponse } from '../api/http.ts';
import type { ApiKeys } from '../auth/api-keys.ts';
import { presentedCredential } from '../auth/api-keys.ts';
import { addressKey, type ClientAddress } from '../auth/client-address.ts';
import type { Gate } from '../auth/gate.ts';
import { anonymousIdentity, type Identity } from '../auth/identity.ts';
import type { TokenVerifier } from '../auth/tokens.ts';
import { SluiceError } from '../errors.ts';
import type { Codec } from '../protocol/codec.ts';
import { negotiate } from '../protocol/codecs.ts';
import type { Admission } from '../sessions/admission.ts';
import { isPattern, patternProblem, topicProblem } from '../topics/names.ts';
import { statusLine } from './http.ts';
import { requestHead } from './request-head.ts';
import type { SocketData } from './uws-connection.ts';

export interface UpgradeOptions {
  readonly gate: Gate;
  readonly keys: ApiKeys;
  /** Absent: no tokens are taken. */
  readonly tokens: TokenVerifier | undefined;
  /** Who a client without credentials is, given where it connects from. */
  readonly identityOf: (head: RequestHead) => Identity;
  readonly clientAddress: ClientAddress;
  readonly admission: Admission;
  readonly isDraining: () => boolean;
  readonly monotonicMs: () => number;
  readonly rejected: (error: SluiceError) => void;
}

/** What was read from an upgrade request, and must be copied as the request dies. */
interface Asked {
  readonly address: string;
  readonly addressKey: string;
  readonly codec: Codec;
  readonly subprotocol: string;
  readonly topic: string | undefined;
  readonly credential: string;
  readonly identity: Identity;
}

/** Decides about a connection before it is one: origin, caps, rate, subprotocol, path, credentials. */
export class Upgrades {
  readonly #options: UpgradeOptions;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    const startedAtMs = this.#options.monotonicMs();
    const state = { aborted: false };
    response.onAborted(() => {
      state.aborted = true;
    });
    const asked = this.#read(response, request);
    if (asked instanceof SluiceError) {
      this.#refuse(response, asked);
      return;
    }
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    const proceed = (identity: Identity | SluiceError) => {
      if (state.aborted) return;
      const verdict = identity instanceof SluiceError ? identity : this.#admit(asked, identity);
      if (verdict instanceof SluiceError) {
        this.#refuse(response, verdict);
        return;
      }
      const data: SocketData = {
        peer: { identity: verdict, address: asked.address, addressKey: asked.addressKey },
        codec: asked.codec,
        topic: asked.topic,
        startedAtMs,
        connection: undefined,
        session: undefined,
      };
      response.cork(() => response.upgrade(data, key, asked.subprotocol, extensions, context));
    };
    const identity = this.#identify(asked);
    if (identity instanceof Promise) void identity.then(proceed);
    else proceed(identity);
  }

  /** `GET` of a WebSocket route without an upgrade: says whether, and if not why not, a client may connect. */
  explain(response: HttpResponse, request: HttpRequest): void {
    response.onAborted(() => undefined);
    const asked = this.#read(response, request);
    const error = asked instanceof SluiceError ? asked : new SluiceError('upgrade_required');
    this.#write(response, error);
  }

  #read(response: HttpResponse, request: HttpRequest): Asked | SluiceError {
    const { gate, admission, clientAddress, isDraining, identityOf } = this.#options;
    if (isDraining()) return new SluiceError('shutting_down', undefined, { retryAfterMs: 1000 });
    const head = requestHead(response, request);
    const problem = gate.upgradeProblem(head);
    if (problem !== undefined) return problem;
    const address = clientAddress(head.peerAddress, head.header('x-forwarded-for'));
    const key = addressKey(address);
    const full = admission.problem(key);
    if (full !== undefined) return full;
    const offered = head.header('sec-websocket-protocol');
    const codec = negotiate(offered === '' ? undefined : offered);
    if (codec === undefined) return new SluiceError('unknown_subprotocol');
    const topic = topicOfPath(head.path);
    if (topic instanceof SluiceError) return topic;
    const credential = new URLSearchParams(head.query).get('token') ?? presentedCredential(head.header);
    return {
      address,
      addressKey: key,
      codec,
      subprotocol: offered === '' ? '' : codec.subprotocol,
      topic,
      credential,
      identity: identityOf(head),
    };
  }

  #identify({ credential, identity }: Asked): Identity | SluiceError | Promise<Identity | SluiceError> {
    const { keys, tokens } = this.#options;
    if (credential === '') return identity;
    const byKey = keys.identify(credential);
    if (byKey !== undefined) return byKey;
    // A gateway that takes no tokens can't know what they mean, and anonymous is what everybody is there.
    if (tokens === undefined)
      return keys.size > 0 ? new SluiceError('unauthorized', 'this API key is not known') : anonymousIdentity;
    return tokens
      .verify(credential)
      .then((result) => (result.ok ? result.identity : new SluiceError(result.code, result.message)));
  }

  /** Takes the place, now that nothing else can fail. Others may have come while the token was looked at. */
  #admit({ addressKey: key }: Asked, identity: Identity): Identity | SluiceError {
    const { admission } = this.#options;
    const problem =
      admission.placeProblem(key) ??
      (identity.user === undefined ? undefined : admission.userProblem(identity.user));
    if (problem !== undefined) return problem;
    admission.enter(key);
    return identity;
  }

  #refuse(response: HttpResponse, error: SluiceError): void {
    this.#options.rejected(error);
    this.#write(response, error);
  }

  #write(response: HttpResponse, error: SluiceError): void {
    const { status, headers, body } = errorResponse(error);
    response.cork(() => {
      response.writeStatus(statusLine(status));
      for (const name in headers) response.writeHeader(name, headers[name] as string);
      if (status === 426) response.writeHeader('upgrade', 'websocket');
      response.end(body);
    });
  }
}

/** `/ws`: nothing; `/ws/monitoring/{server}`: that server's topic; `/ws/{topic}`: that topic, as one segment. */
function topicOfPath(path: string): string | undefined | SluiceError {
  const rest = path.replace(/^\/ws\/?/, '');
  if (rest === '') return undefined;
  const monitoring = /^monitoring\/([^/]+)$/.exec(rest)?.[1];
  const segment = monitoring ?? rest;
  if (segment.includes('/'))
    return new SluiceError('not_found', 'a topic is one percent-encoded segment of the path');
  let name: string;
  try {
    name = decodeURIComponent(segment);
  } catch {
    return new SluiceError('invalid_topic', 'the path is not percent-encoded UTF-8');
  }
  const topic = monitoring === undefined ? name : `server:${name}`;
  const problem = isPattern(topic) ? patternProblem(topic) : topicProblem(topic);
  return problem === undefined ? topic : new SluiceError('invalid_topic', problem);
}
