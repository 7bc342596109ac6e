import { createHmac } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import type { AttackerCalls } from './siege/attacker.ts';
import { type Attack, type AttackName, attacks, type Who } from './siege/attacks.ts';
import { loadCore } from './support/core.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { rssBytes } from './support/proc.ts';
import { type Claim, claim, scenario } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  seconds: { default: 4, sentence: 'How long the gateway is looked at, calm and again under attack.' },
  only: { default: '', sentence: 'One attack, by name; none: all.' },
} as const;

/** What an undisturbed client may notice, and what an attack may cost. */
const pongMaxMs = 250;
const growthMaxBytes = 100 * 2 ** 20;

const secret = 'a secret of the siege, and long enough';
const apiKey = 'an-api-key-of-the-siege';
const pingEveryMs = 20;

interface Besieged {
  readonly name: AttackName;
  readonly who: Who;
  readonly calmPongMs: number;
  readonly pongMs: number;
  readonly growthBytes: number;
  /** A client with a token subscribes to the attacked topic, and a backend publishes to a new one. */
  readonly others: string;
}

export default scenario(options, async ({ seconds, only }, say) => {
  const seen: Besieged[] = [];
  for (const [name, attack] of Object.entries(attacks) as [AttackName, Attack][]) {
    if (only !== '' && only !== name) continue;
    for (const who of attack.as) {
      say(`${name}, ${who}: ${attack.sentence}`);
      seen.push(await besiege(name, attack, who, seconds));
    }
  }
  const MiB = (bytes: number) => Math.round(bytes / 2 ** 20);
  const rows = seen.map(({ name, who, calmPongMs, pongMs, growthBytes, others }) => [
    ...[name, who, calmPongMs.toFixed(0), pongMs.toFixed(0), MiB(growthBytes), others],
  ]);
  const columns = ['attack', 'as', 'worst pong calm, ms', 'under attack, ms', 'RSS growth, MiB', 'others'];
  return { tables: [{ title: 'Beside each attack', columns, rows }], claims: seen.flatMap(claimsOf) };
});

function claimsOf({ name, who, pongMs, growthBytes, others }: Besieged): Claim[] {
  const MiB = Math.round(growthBytes / 2 ** 20);
  return [
    claim(
      `${name}, ${who}: an undisturbed client has its pong`,
      pongMs <= pongMaxMs,
      `${pongMs.toFixed(0)} ms (${pongMaxMs})`,
    ),
    claim(`${name}, ${who}: RSS over the calm peak`, growthBytes <= growthMaxBytes, `${MiB} MiB (100)`),
    claim(`${name}, ${who}: others find room`, others === 'served', others),
  ];
}

/** What the token of each attacker permits; undefined: it has none. */
const permissionsOf: Readonly<Record<Who, readonly object[] | undefined>> = {
  'no credential': undefined,
  anonymous: undefined,
  'poorest token': [],
  publisher: [{ pattern: 'a', allow: ['publish'] }],
};

async function besiege(
  name: AttackName,
  { topics = 0 }: Attack,
  who: Who,
  seconds: number,
): Promise<Besieged> {
  const flags = [
    `--token-secret=${secret}`,
    `--api-key=${apiKey}`,
    '--no-canary',
    '--connections-max-per-ip=100',
  ];
  const gateway = await startGateway([
    ...flags,
    '--handshakes-per-second-per-ip=50',
    '--http-connections-per-second-per-ip=500',
    '--unauthenticated-max-per-ip=100',
    '--topics-max=200000',
    ...(who === 'no credential' ? [] : ['--anonymous']),
  ]);
  const attacker = new Worker<AttackerCalls>(new URL('./siege/attacker.ts', import.meta.url), loadCore);
  const victim = await Victim.join(gateway);
  try {
    await fill(gateway, topics);
    const calm = await victim.watch(seconds * 1000);
    const watched = victim.watch(seconds * 1000);
    const permissions = permissionsOf[who];
    const token = permissions && tokenOf({ sub: 'poor', topics: permissions });
    await attacker.call('attack', { name, target: { port: gateway.port, token } });
    const attacked = await watched;
    const others = await room(gateway);
    return {
      ...{ name, who, others, calmPongMs: calm.worstMs, pongMs: attacked.worstMs },
      growthBytes: attacked.peakBytes - calm.peakBytes,
    };
  } finally {
    victim.leave();
    await attacker.end();
    await gateway.kill();
  }
}

/** A ring of a MiB in `stats`, and as many topics as the attack is about. */
async function fill(gateway: Gateway, topics: number): Promise<void> {
  const large = { type: 'x', data: 'x'.repeat(65_000) };
  await publish(gateway, Array.from({ length: 15 }, () => ({ topic: 'stats', ...large })).slice(0, 100));
  for (let at = 0; at < topics; at += 1000)
    await publish(
      gateway,
      Array.from({ length: 1000 }, (_, i) => ({ topic: `dev${at + i}`, type: 'x', data: 1 })),
    );
}

async function publish({ port }: Gateway, items: readonly object[]): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/api/publish/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(items),
  });
  const text = await response.text();
  return response.ok && !text.includes('"error"');
}

/** What others still get. */
async function room(gateway: Gateway): Promise<string> {
  const other = await Victim.join(gateway);
  const filter = { op: 'eq', tag: 'mine', value: 'yes' };
  const reply = await other.ask({
    type: 'subscribe',
    id: 1,
    subscriptions: [{ topic: 'stats' }, { topic: 'stats', filter }],
  });
  other.leave();
  if (reply.includes('"error"')) return reply.slice(0, 200);
  return (await publish(gateway, [{ topic: 'new:one', type: 'x', data: 1 }]))
    ? 'served'
    : 'a publish was refused';
}

/** A client that does nothing wrong. */
class Victim {
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

  /**
   * The slowest pong, and the largest RSS, of this time. A pong that did not come counts as long as it was waited
   * for.
   */
  async watch(ms: number): Promise<{ worstMs: number; peakBytes: number }> {
    const endMs = performance.now() + ms;
    let worstMs = 0;
    let peakBytes = 0;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      const pong = new Promise<void>((resolve) => this.#socket.once('pong', () => resolve()));
      this.#socket.ping();
      const sampling = setInterval(() => {
        peakBytes = Math.max(peakBytes, rssBytes(this.#pid));
      }, 10);
      await Promise.race([pong, setTimeout(10_000)]);
      clearInterval(sampling);
      worstMs = Math.max(worstMs, performance.now() - startMs);
      peakBytes = Math.max(peakBytes, rssBytes(this.#pid));
      await setTimeout(pingEveryMs);
    }
    return { worstMs, peakBytes };
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

function tokenOf(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
