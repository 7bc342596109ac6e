import { createHmac } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import type { Gateway } from '../support/gateway.ts';
import { rssBytes, starvedMeter } from '../support/proc.ts';

const secret = 'a secret of the siege, and long enough';
const apiKey = 'an-api-key-of-the-siege';
/** Signs the questions to an application. */
export const hookSecret = 'another secret of the siege, and long enough';
const pingEveryMs = 20;

/** Flags of the attacked gateway. */
export const credentials: readonly string[] = [`--token-secret=${secret}`, `--api-key=${apiKey}`];

/** `credential`: absent: the key of a backend. */
export async function publish(
  { port }: Pick<Gateway, 'port'>,
  items: readonly object[],
  credential = apiKey,
): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/api/publish/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    body: JSON.stringify(items),
  });
  const text = await response.text();
  return response.ok && !text.includes('"error"');
}

/** The slowest pong of some time, and the largest RSS. */
export interface Watched extends Pong {
  readonly peakBytes: number;
}

export interface Pong {
  readonly worstMs: number;
  /** How much of it the gateway and this client were ready to run while another process had their core. */
  readonly starvedMs: number;
}

/** What the gateway answers for. */
export const ownMs = ({ worstMs, starvedMs }: Pong): number => Math.max(0, worstMs - starvedMs);

export const worseOf = <P extends Pong>(a: P, b: P): P => (ownMs(b) > ownMs(a) ? b : a);

/** A client that does nothing wrong. */
export class Victim {
  readonly #socket: WebSocket;
  readonly #pid: number;

  private constructor(socket: WebSocket, pid: number) {
    this.#socket = socket;
    this.#pid = pid;
  }

  static async join({ port, pid }: Gateway): Promise<Victim> {
    const token = tokenOf({ sub: 'victim', topics: [{ pattern: '*', allow: ['subscribe'] }] });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?token=${token}`);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return new Victim(socket, pid);
  }

  /** A missing pong counts as long as it was awaited. */
  async watch(ms: number): Promise<Watched> {
    const endMs = performance.now() + ms;
    let worst = { worstMs: 0, starvedMs: 0 };
    let peakBytes = 0;
    while (performance.now() < endMs) {
      const meters = [this.#pid, process.pid].map(starvedMeter);
      const startMs = performance.now();
      const pong = new Promise<void>((resolve) => this.#socket.once('pong', () => resolve()));
      this.#socket.ping();
      const sampling = setInterval(() => {
        peakBytes = Math.max(peakBytes, rssBytes(this.#pid));
      }, 10);
      await Promise.race([pong, setTimeout(10_000)]);
      clearInterval(sampling);
      const worstMs = performance.now() - startMs;
      worst = worseOf(worst, { worstMs, starvedMs: meters.reduce((sum, starved) => sum + starved(), 0) });
      peakBytes = Math.max(peakBytes, rssBytes(this.#pid));
      await setTimeout(pingEveryMs);
    }
    return { ...worst, peakBytes };
  }

  ask(command: { readonly id: number; readonly [member: string]: unknown }): Promise<string> {
    return new Promise((resolve) => {
      this.#socket.on('message', (data) => {
        const text = String(data);
        if (text.includes(`"id":${command.id},`)) resolve(text);
      });
      this.#socket.send(JSON.stringify(command));
    });
  }

  leave(): void {
    this.#socket.terminate();
  }
}

export function tokenOf(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
