import type { Target } from './sockets.ts';

export type Who = 'no credential' | 'anonymous' | 'poorest token' | 'publisher';

export interface Attack {
  readonly sentence: string;
  /**
   * The credentials to attack with. Attacks before authentication also run without one, on a gateway that requires one.
   */
  readonly as: readonly Who[];
  /** Topics that exist before. */
  readonly topics?: number;
  /** Of the gateway, besides those of all attacks. */
  readonly flags?: readonly string[];
  /** This hook is one of an application that drips its responses. */
  readonly hook?: 'call' | 'subscribe';
  /** Opens what it needs and sends it. What it opened stays until the attacker's process ends. */
  readonly run: (target: Target) => Promise<void>;
}
