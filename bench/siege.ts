import type { Attack, Who } from './siege/attack.ts';
import type { AttackerCalls } from './siege/attacker.ts';
import { type AttackName, attacks } from './siege/attacks.ts';
import { storm } from './siege/storm.ts';
import {
  credentials,
  hookSecret,
  ownMs,
  type Pong,
  publish,
  tokenOf,
  Victim,
  type Watched,
} from './siege/victim.ts';
import { loadCore } from './support/core.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { type Claim, claim, scenario } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  seconds: { default: 4, sentence: 'How long the gateway is looked at, calm and again under attack.' },
  only: { default: '', sentence: 'One attack, by name, or storm; none: all.' },
} as const;

const stormName = 'storm';
/** What an undisturbed client may notice, and what an attack may cost. */
const pongMaxMs = 250;
const growthMaxMiB = 100;

interface Besieged {
  readonly name: AttackName;
  readonly who: Who;
  readonly calm: Watched;
  readonly attacked: Watched;
  /**
   * A client with a token subscribes to the attacked topic, and another comes back to a quiet one; a backend and a user
   * publish to new ones.
   */
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
  const rows = seen.map((each) => [
    ...[each.name, each.who, pongText(each.calm), pongText(each.attacked), growthMiB(each), each.others],
  ]);
  const columns = ['attack', 'as', 'worst pong calm, ms', 'under attack, ms', 'RSS growth, MiB', 'others'];
  const tables = rows.length === 0 ? [] : [{ title: 'Beside each attack', columns, rows }];
  if (only !== '' && only !== stormName) return { tables, claims: seen.flatMap(claimsOf) };
  say('storm: handshakes against the cap on all connections');
  const { table, claims } = await storm(pongMaxMs);
  return { tables: [...tables, table], claims: [...seen.flatMap(claimsOf), ...claims] };
});

/** Of a busy machine, only what the gateway and the client had a core for is judged. */
const pongText = (pong: Pong): string =>
  `${ownMs(pong).toFixed(0)} + ${pong.starvedMs.toFixed(0)} without a core`;

const growthMiB = ({ calm, attacked }: Besieged): number =>
  Math.round((attacked.peakBytes - calm.peakBytes) / 2 ** 20);

function claimsOf(each: Besieged): Claim[] {
  const { name, who, attacked, others } = each;
  return [
    claim(
      `${name}, ${who}: an undisturbed client has its pong`,
      ownMs(attacked) <= pongMaxMs,
      `${pongText(attacked)} (${pongMaxMs})`,
    ),
    claim(
      `${name}, ${who}: RSS over the calm peak`,
      growthMiB(each) <= growthMaxMiB,
      `${growthMiB(each)} MiB (${growthMaxMiB})`,
    ),
    claim(`${name}, ${who}: others find room`, others === 'served', others),
  ];
}

/** What the token of each attacker permits; undefined: it has none. */
const permissionsOf: Readonly<Record<Who, readonly object[] | undefined>> = {
  'no credential': undefined,
  anonymous: undefined,
  'poorest token': [],
  publisher: [{ pattern: '*', allow: ['publish'] }],
};

async function besiege(
  name: AttackName,
  { topics = 0, flags: more = [], hook }: Attack,
  who: Who,
  seconds: number,
): Promise<Besieged> {
  const attacker = new Worker<AttackerCalls>(new URL('./siege/attacker.ts', import.meta.url), loadCore);
  const flags = [...credentials, '--no-canary', '--connections-max-per-ip=100'];
  if (hook !== undefined)
    flags.push(`--hook-${hook}=${await attacker.call('application')}`, `--hook-secret=${hookSecret}`);
  const gateway = await startGateway([
    ...flags,
    ...more,
    '--handshakes-per-second-per-ip=50',
    '--http-connections-per-second-per-ip=500',
    '--unauthenticated-max-per-ip=100',
    '--topics-max=200000',
    ...(who === 'no credential' ? [] : ['--anonymous']),
  ]);
  const victim = await Victim.join(gateway);
  try {
    await fill(gateway, topics);
    const quiet = await subscribe(gateway, [{ topic: 'quiet' }]);
    const calm = await victim.watch(seconds * 1000);
    const watched = victim.watch(seconds * 1000);
    const permissions = permissionsOf[who];
    const token = permissions && tokenOf({ sub: 'poor', topics: permissions });
    await attacker.call('attack', { name, target: { port: gateway.port, token } });
    const attacked = await watched;
    const others = await room(gateway, /"epoch":"([^"]*)"/.exec(quiet)?.[1]);
    return { name, who, others, calm, attacked };
  } finally {
    victim.leave();
    await attacker.end();
    await gateway.kill();
  }
}

/** Fills a ring of 1 MiB in `stats`, and creates the topics of the attack, and one that stays quiet. */
async function fill(gateway: Gateway, topics: number): Promise<void> {
  const large = { type: 'x', data: 'x'.repeat(65_000) };
  await publish(gateway, Array.from({ length: 15 }, () => ({ topic: 'stats', ...large })).slice(0, 100));
  await publish(gateway, [{ topic: 'quiet', type: 'x', data: 1 }]);
  for (let at = 0; at < topics; at += 1000)
    await publish(
      gateway,
      Array.from({ length: 1000 }, (_, i) => ({ topic: `dev${at + i}`, type: 'x', data: 1 })),
    );
}

/** A client subscribes, and leaves. Resolves with the reply. */
async function subscribe(gateway: Gateway, subscriptions: readonly object[]): Promise<string> {
  const client = await Victim.join(gateway);
  const reply = await client.ask({ type: 'subscribe', id: 1, subscriptions });
  client.leave();
  return reply;
}

/** What remains for other clients. `epoch`: of the quiet topic. */
async function room(gateway: Gateway, epoch: string | undefined): Promise<string> {
  const filter = { op: 'eq', tag: 'mine', value: 'yes' };
  const since = { epoch, offset: 1 };
  const reply = await subscribe(gateway, [
    { topic: 'stats' },
    { topic: 'stats', filter },
    { topic: 'quiet', since },
  ]);
  if (reply.includes('"error"') || !reply.includes('"recovered":true')) return reply.slice(0, 500);
  const user = tokenOf({ sub: 'other', topics: [{ pattern: '*', allow: ['publish'] }] });
  for (const [topic, credential] of [['new:one'], ['new:two', user]] as const)
    if (!(await publish(gateway, [{ topic, type: 'x', data: 1 }], credential)))
      return `a publish to ${topic} was refused`;
  return 'served';
}
