import WebSocket from 'ws';
import { ClientError, SluiceClient } from '../client/index.ts';
import type { ReceivedPublication } from '../client/publication.ts';
import type { SubscribeOptions } from '../client/subscriptions/subscribe-options.ts';
import type { Subscription } from '../client/subscriptions/subscription.ts';
import type { Filter } from '../protocol/frames.ts';
import { encodePublication } from '../protocol/json/text.ts';
import { type CliDeps, Exit } from './deps.ts';

export interface SubscribeFlags {
  readonly last?: number;
  readonly filter?: Filter;
  readonly interval?: number;
  readonly count?: number;
}

export interface SubscribeTarget {
  /** `http://host:port`, perhaps with a path. */
  readonly url: string;
  /** Called before each attempt to connect. Resolves with undefined if there is none. */
  credential(): Promise<string | undefined>;
  /** The gateway is on this machine: its certificate need not match the address. */
  readonly isOwn: boolean;
}

/**
 * Prints each publication of these topics and patterns as a line of JSON, and reports losses on stderr. Ends when the
 * process is asked to, when the reader of the lines has ended, or after `count` publications. Throws an `Exit` if the
 * first attempt to connect fails or a refusal is final. After a lost connection it retries until it is back.
 */
export async function subscribe(
  target: SubscribeTarget,
  topics: readonly string[],
  flags: SubscribeFlags,
  deps: CliDeps,
): Promise<void> {
  const say = (sentence: string) => deps.complain(`${sentence.replace(/\.$/, '')}.\n`);
  const hasCredential = (await target.credential()) !== undefined;
  let client: SluiceClient | undefined;
  try {
    client = new SluiceClient(`${target.url}/ws`, {
      WebSocket: target.isOwn ? OwnWebSocket : WebSocket,
      transports: ['websocket'],
      clientName: 'sluice subscribe',
      ...(hasCredential && { token: async () => (await target.credential()) ?? '' }),
    });
    const printed = printAll(client, topics, flags, deps, say);
    await Promise.race([
      client.connect().then(() => printed),
      printed,
      deps.untilStopped(),
      deps.untilUnread(),
    ]);
  } catch (error) {
    if (error instanceof ClientError) throw new Exit(1, error.message, error);
    throw error;
  } finally {
    client?.close();
  }
}

/** Resolves after `count` publications. Rejects with a final refusal. */
function printAll(
  client: SluiceClient,
  topics: readonly string[],
  { last, filter, interval, count }: SubscribeFlags,
  deps: CliDeps,
  say: (sentence: string) => void,
): Promise<void> {
  const options: SubscribeOptions = {
    ...(last !== undefined && { last }),
    ...(filter !== undefined && { filter }),
    ...(interval !== undefined && { intervalMs: interval }),
  };
  return new Promise((resolve, reject) => {
    let left = count ?? Number.POSITIVE_INFINITY;
    const print = (publication: ReceivedPublication) => {
      if (left === 0) return;
      deps.print(`${lineOf(publication)}\n`);
      if (--left === 0) resolve();
    };
    client.on('state', ({ state, previous, error }) => {
      if (state === 'closed' && error) reject(error);
      else if (state === 'reconnecting' && previous === 'connected') say(`Reconnecting: ${error?.message}`);
      else if (state === 'connected' && previous === 'reconnecting') say('Connected again');
    });
    client.on('error', ({ message }) => client.getStats().connects > 0 && say(message));
    for (const topic of topics) {
      const subscription = client.subscribe(topic, options, print);
      subscription.on('snapshot', (entries) => entries.forEach(print));
      tellLosses(subscription, say);
      subscription.on('error', (error) => {
        say(`${topic}: ${error.message}`);
        if (!error.retry) reject(new Exit(1, 'The subscription is refused.', error));
      });
    }
  });
}

/** Line breaks of a payload are white space between its values, because strings have them escaped. */
function lineOf(publication: ReceivedPublication): string {
  const plain = publication.plain();
  const tags = Object.keys(plain.tags ?? {}).length > 0 ? plain.tags : undefined;
  const json = encodePublication(plain.topic, { ...plain, tags });
  return Buffer.from(json)
    .toString()
    .replaceAll(/[\r\n]/g, ' ');
}

function tellLosses(subscription: Subscription, say: (sentence: string) => void): void {
  subscription.on('gap', ({ topic, missing }) =>
    say(
      missing === undefined
        ? `${topic}: some publications are lost`
        : `${topic}: the offsets from ${missing.after + 1} to ${missing.upto} are lost`,
    ),
  );
  subscription.on('reset', ({ topic }) =>
    say(`${topic} is numbered anew: whether something was lost is unknown`),
  );
}

class OwnWebSocket extends WebSocket {
  constructor(url: string, protocols?: string[]) {
    super(url, protocols, { rejectUnauthorized: false });
  }
}
