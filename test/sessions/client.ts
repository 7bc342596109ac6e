import { expect } from 'vitest';
import type { Identity } from '../../src/auth/identity.ts';
import type { TokenResult } from '../../src/auth/tokens.ts';
import type { ClientFrame } from '../../src/protocol/client-frames.ts';
import type { Payload, SubscribeResult, Subscription } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { codecs } from '../support/codecs.ts';
import { makeGateway } from './fixtures.ts';

export const verified = (identity: Identity): TokenResult => ({ ok: true, identity });

export const granted = { permissions: [{ pattern: 'closed:*', allow: ['subscribe', 'publish'] as const }] };

/** The command that publishes this. */
export function publishing(id: number, topic: string, payload: Payload): ClientFrame {
  return { kind: 'publish', id, ...publishOf({ topic, type: 'update', payload }) };
}

/** A gateway with one client whose greeting is over. */
export async function client(
  codec: (typeof codecs)[keyof typeof codecs] = codecs.protobuf,
  options: Parameters<typeof makeGateway>[0] = {},
  identity?: Identity,
) {
  const gateway = await makeGateway(options);
  const connected = gateway.connect(identity, codec);
  const greeting = connected.connection.frames();
  connected.connection.forget();
  const subscribe = async (
    id: number,
    ...subscriptions: Subscription[]
  ): Promise<readonly SubscribeResult[]> => {
    connected.command({ kind: 'subscribe', id, subscriptions });
    await gateway.settle();
    const [reply] = connected.connection.replies(id);
    if (reply?.kind !== 'subscribed') throw new Error(`answered by ${reply?.kind}`);
    return reply.results;
  };
  /** The reply to a command, or to one that was sent already, of this number. */
  const ask = async (asked: number | ClientFrame): Promise<ServerFrame> => {
    if (typeof asked !== 'number') connected.command(asked);
    await gateway.settle();
    const replies = connected.connection.replies(typeof asked === 'number' ? asked : asked.id);
    expect(replies).toHaveLength(1);
    return replies[0]!;
  };
  const codeOf = async (asked: number | ClientFrame): Promise<string> => {
    const reply = await ask(asked);
    return reply.kind === 'error' ? reply.code : reply.kind;
  };
  return { ...gateway, ...connected, greeting, subscribe, ask, codeOf };
}
