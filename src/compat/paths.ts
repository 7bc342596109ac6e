import type { RequestHead } from '../api/http.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { Verdict } from '../auth/credentials.ts';
import type { Identity } from '../auth/identity.ts';
import { userProblem, userTopicOf } from '../auth/permissions.ts';
import { SluiceError } from '../errors.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import { targetProblem } from '../sessions/commands/target.ts';
import { compatCodec } from './codec.ts';
import { broadcastTopicOf, type System, type SystemName } from './systems.ts';

export interface CompatPathOptions {
  readonly authorize: Authorize;
  /** The current time, in the format of the systems. */
  readonly now: () => string;
  /** Is told the bytes that are sent to clients of the system. */
  readonly countSent: (name: SystemName, bytes: number) => void;
}

/** What a request for a WebSocket of a system asks for. */
export interface CompatRequest {
  readonly codec: GatewayCodec;
  /** The clients offer none. */
  readonly subprotocol: '';
  readonly topic: string | undefined;
  readonly joins: readonly string[];
  /** Returns the identity with which the client connects, or why it may not. */
  readonly adopt: (identity: Identity) => Verdict;
}

/** A WebSocket path of a system. */
export interface CompatPath {
  /** `{name}` is a segment of any value. */
  readonly path: string;
  readonly read: (head: RequestHead) => CompatRequest | SluiceError;
}

/** Returns the paths of these systems. */
export function pathsOf(
  system: System,
  options: CompatPathOptions,
  paths = system.paths,
): readonly CompatPath[] {
  const { wire, namespace, name, hasBroadcasts } = system;
  const { now, authorize } = options;
  const countSent = (bytes: number) => options.countSent(name, bytes);
  const shared = compatCodec(name, wire({ namespace, now }), countSent);
  const joins = hasBroadcasts ? [broadcastTopicOf(name)] : [];
  const request = { codec: shared, subprotocol: '', topic: undefined, joins, adopt: identified } as const;

  const openings: Readonly<Record<string, (value: string) => CompatRequest | SluiceError>> = {
    server: (server) => {
      const topic = `${namespace}:${server}`;
      if (server.endsWith('*')) return new SluiceError('invalid_topic', 'the server must not be a pattern');
      return targetProblem(topic) ?? { ...request, topic };
    },
    user: (user) => {
      const topic = userTopicOf(user);
      if (topic === undefined) return new SluiceError('invalid_request', `the user ${userProblem(user)}`);
      // It has the name of the shared codec, because its frames are the same for all users; only replies name the user.
      const codec = compatCodec(name, wire({ namespace, now, user }), countSent);
      return { ...request, codec, adopt: (identity) => adoptUser(identity, user, topic, authorize) };
    },
  };

  return paths.map((path) => ({
    path,
    read: (head) => {
      const parameter = parameterOf(path, head.path);
      if (parameter === undefined) return request;
      const value = decoded(parameter.value);
      if (value === undefined)
        return new SluiceError('invalid_request', 'the path is not percent-encoded UTF-8');
      return openings[parameter.name]?.(value) ?? request;
    },
  }));
}

/** In these systems no message brings a credential later, so an unauthenticated client is refused at once. */
function identified(identity: Identity): Verdict {
  if (identity.unauthenticated !== true) return identity;
  return new SluiceError('unauthorized', 'a token or an API key is needed: ?token=');
}

/** The path of a user is for that user, and for operators that may read the user's topic. */
function adoptUser(identity: Identity, user: string, topic: string, authorize: Authorize): Verdict {
  const verdict = identified(identity);
  if (verdict instanceof SluiceError || verdict.user === user) return verdict;
  if (authorize(identity, 'subscribe', topic) === undefined) return { ...identity, user };
  return new SluiceError('forbidden', 'this path is for another user', { who: { user: identity.user } });
}

/** The value of the pattern's only parameter. */
function parameterOf(pattern: string, path: string) {
  const wanted = pattern.split('/');
  const index = wanted.findIndex((segment) => segment.startsWith('{'));
  if (index === -1) return undefined;
  return { name: (wanted[index] as string).slice(1, -1), value: path.split('/')[index] ?? '' };
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
