import { type Replies, replyKinds } from './commands.ts';
import type {
  BatchHeader,
  CompressedBody,
  Mode,
  OffsetRange,
  Payload,
  PresenceMember,
  Publication,
  SnapshotHeader,
  TopicPosition,
} from './frames.ts';

/** The fields of each kind of frame that no command asks for. */
interface Pushes {
  batch: BatchHeader & {
    readonly publications: readonly Publication[];
    readonly compressed?: CompressedBody;
  };
  reset: TopicPosition & { readonly view: number; readonly mode: Mode };
  snapshot: SnapshotHeader & { readonly publications: readonly Publication[] };
  joined: { readonly topic: string; readonly member: PresenceMember };
  left: { readonly topic: string; readonly member: PresenceMember };
  lagging: { readonly views: readonly number[] };
  caughtUp: {
    readonly view: number;
    readonly topic: string;
    readonly epoch: string;
    readonly offset: number;
    readonly recovered: boolean;
    readonly missing?: OffsetRange;
    readonly cursor?: string;
  };
  message: { readonly type: string; readonly payload: Payload };
  goingAway: { readonly reconnectDelayMs: number; readonly reason: string };
  tokenExpiring: { readonly expiresMs: number };
  gatewayState: { readonly degraded: boolean };
  dictionary: {
    readonly dictionary: number;
    readonly view: number;
    readonly data: Uint8Array;
    readonly crc32: number;
  };
}

/** The fields of each kind of frame that the gateway sends. */
export interface ServerKinds extends Replies, Pushes {}

export type ServerKind = keyof ServerKinds;

/** A frame of the gateway. `id` is the command's, and 0 in pushes. */
export type ServerFrame = {
  [K in ServerKind]: { readonly kind: K; readonly id: number } & ServerKinds[K];
}[ServerKind];

/** A frame of one kind, without the id that only replies have. */
export type Reply = { [K in ServerKind]: { readonly kind: K } & ServerKinds[K] }[ServerKind];

const pushKinds: { readonly [K in keyof Pushes]: true } = {
  batch: true,
  reset: true,
  snapshot: true,
  joined: true,
  left: true,
  lagging: true,
  caughtUp: true,
  message: true,
  goingAway: true,
  tokenExpiring: true,
  gatewayState: true,
  dictionary: true,
};

const kinds: Readonly<Record<ServerKind, true>> = { ...replyKinds, ...pushKinds };

export const serverKinds = Object.keys(kinds) as ServerKind[];

export function isServerKind(name: string): name is ServerKind {
  return Object.hasOwn(kinds, name);
}
