import { connect } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import { addressOf } from './connection.ts';
import type { RedisServer } from './options.ts';

/** The scheme of a URL is wrong. */
export class SchemeError extends Error {
  readonly code = 'ERR_REDIS_SCHEME';
}

/** A server that takes longer than this to say what it speaks is not asked further. */
const askMaxMs = 2000;

/**
 * Asks the servers whether they speak TLS, other than their URLs say: a failed connection does not show it. A Redis
 * without TLS takes what a client by TLS sends for the beginning of a command, and waits for the rest.
 */
export async function otherScheme({ urls }: RedisServer): Promise<SchemeError | undefined> {
  const wrong = await Promise.all(urls.map((url) => speaksOther(url)));
  if (!wrong.includes(true)) return undefined;
  const [url = ''] = urls;
  const message = url.startsWith('rediss:')
    ? 'it speaks no TLS there: its URL begins with redis://'
    : 'it speaks TLS there: its URL begins with rediss://';
  return new SchemeError(message);
}

function speaksOther(url: string): Promise<boolean> {
  const { host, port, tls } = addressOf(url);
  return new Promise((resolve) => {
    // Nothing secret is sent, so it does not matter who this is.
    const socket = tls ? connect({ host, port }) : connectByTls({ host, port, rejectUnauthorized: false });
    const settle = (is: boolean) => {
      resolve(is);
      socket.destroy();
    };
    socket.setTimeout(askMaxMs, () => settle(false));
    socket.on('error', () => settle(false)).on('close', () => settle(false));
    if (tls === undefined) socket.on('secureConnect', () => settle(true));
    else {
      socket.write('PING\r\n');
      // `+PONG`, or a refusal.
      socket.on('data', (reply: Buffer) => settle(/^[+-]/.test(reply.toString('latin1'))));
    }
  });
}
