import { SluiceError } from '../errors.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import { negotiate } from '../protocol/codecs.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import type { Applicant } from '../sessions/admission/admission.ts';
import { targetProblem } from '../sessions/commands/target.ts';

/** What the request for a WebSocket asks for. */
export interface WebSocketRequest {
  readonly codec: GatewayCodec;
  /** The subprotocol that the response names; empty when the client offered none. */
  readonly subprotocol: string;
  /** The topic of the path. The session is subscribed to it at once. */
  readonly topic: string | undefined;
  /** Topics that its sessions join without asking; absent: none of its own. */
  readonly joins?: readonly string[];
  /** The identity that the client connects with, or why it may not; absent: its own. */
  readonly adopt?: Applicant['adopt'];
}

interface RequestLine {
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  header(name: string): string;
}

export function readWebSocketRequest(request: RequestLine): WebSocketRequest | SluiceError {
  const offered = request.header('sec-websocket-protocol');
  const codec = negotiate(offered === '' ? undefined : offered);
  if (codec === undefined) return new SluiceError('unknown_subprotocol');
  const topic = topicOfPath(request.path);
  if (topic instanceof SluiceError) return topic;
  return { codec, subprotocol: offered === '' ? '' : codec.subprotocol, topic };
}

/** 16 bytes in base64. */
const handshakeKey = /^[A-Za-z0-9+/]{22}==$/;

/**
 * What is wrong with a handshake (RFC 6455, 4.2.1). The library asks only whether its key has 24 characters. Upgrade
 * and Connection may be missing: proxies that do not know WebSockets drop them, and let the other headers through.
 */
export function handshakeProblem(request: Pick<RequestLine, 'header'>): SluiceError | undefined {
  const upgrade = request.header('upgrade');
  if (upgrade !== '' && !/\bwebsocket\b/i.test(upgrade))
    return new SluiceError('upgrade_required', 'the header Upgrade does not say websocket');
  if (request.header('sec-websocket-version') !== '13')
    return new SluiceError('upgrade_required', 'Sec-WebSocket-Version must be 13');
  if (handshakeKey.test(request.header('sec-websocket-key'))) return undefined;
  return new SluiceError('invalid_request', 'Sec-WebSocket-Key must be 16 bytes in base64');
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
  return targetProblem(topic) ?? topic;
}
