import type { Mode } from '../../protocol/frames.ts';
import type { Formats } from './formats.ts';

/** How a Redis is reached. */
export interface RedisServer {
  /** `redis://` or, with TLS, `rediss://`. In a cluster, or with Sentinels, several: any of them will do. */
  readonly urls: readonly string[];
  /**
   * What the URLs are: the server, some masters of a cluster, or Sentinels, which know the master by `sentinelName`.
   */
  readonly kind: 'single' | 'cluster' | 'sentinel';
  readonly sentinelName: string;
  /** The user at the server behind Sentinels; otherwise it is part of the URLs. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** A connection without a reply for this time is considered lost. */
  readonly timeoutMs: number;
  /** For TLS. They are read for each connection. */
  readonly tlsFiles?: TlsFiles | undefined;
}

/** Paths of PEM files. */
export interface TlsFiles {
  /** Absent: the authorities that Node knows. */
  readonly ca?: string | undefined;
  /** The certificate that the gateway shows, and its key; absent: none. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface RedisRetention {
  readonly mode: Mode;
  readonly maxPublications: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export interface RedisOptions {
  readonly server: RedisServer;
  /** Begins every key: gateways of one prefix share their topics. */
  readonly prefix: string;
  /** Replicas that must have a publication before it is acknowledged. */
  readonly minReplicas: number;
  readonly retention: (topic: string) => RedisRetention;
  /**
   * A node that was not heard of for this time counts as gone. It is at least twice the time between two heartbeats.
   */
  readonly nodeTimeoutMs?: number | undefined;
  /** How long `open` tries: where no attempt reaches Redis, and where the newest has. */
  readonly openWithinMs?: { readonly unreached: number; readonly reached: number } | undefined;
  /** Absent: those of this version. */
  readonly formats?: Formats | undefined;
  /** Numberings of topics without content that are kept. */
  readonly numberingsMax?: number | undefined;
  /** Milliseconds since 1970 on a clock that does not jump. Absent: the clock that all nodes of the Redis share. */
  readonly nowMs?: (() => number) | undefined;
}
