import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { atLeast, claim, type OptionsOf, scenario } from './support/scenario.ts';
import type { TokenSigner } from './support/tokens.ts';
import { sluice, startSubject } from './trials/subject.ts';
import { startReceivers, withWorkers } from './trials/trial.ts';

const options = {
  handshakes: { default: 10_000, sentence: 'Handshakes of each row, each with a token of its own.' },
  together: { default: 2000, sentence: 'Connections that are opened before they are closed again.' },
  inFlight: { default: 200, sentence: 'Handshakes under way at a time.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
} as const;
type Options = OptionsOf<typeof options>;

const limit = 0.6;

/** The signature of the tokens, and the gateway's flags for it. */
interface Kind {
  readonly name: string;
  readonly signer?: TokenSigner;
  readonly publicKey?: string;
}

function kinds(): readonly [none: Kind, secret: Kind, ...Kind[]] {
  const secret = 'a secret for this benchmark alone, 32 bytes and more';
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return [
    { name: 'no token' },
    { name: 'HS256', signer: { secret } },
    byKey('RS256', rsa),
    byKey('ES256', ec),
  ];
}

function byKey(algorithm: 'RS256' | 'ES256', { privateKey, publicKey }: KeyPairKeyObjectResult): Kind {
  return {
    name: algorithm,
    signer: { secret: String(privateKey.export({ type: 'pkcs8', format: 'pem' })), algorithm },
    publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })),
  };
}

interface Handshakes {
  readonly perSecond: number;
  /** Handshakes per CPU second of the server. */
  readonly perCoreSecond: number;
  readonly loadCpu: number;
  readonly p99Ms: number;
  readonly failed: number;
}

async function measure(
  { signer, publicKey }: Kind,
  { handshakes, together, inFlight }: Options,
): Promise<Handshakes> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-handshakes-'));
  const tokenKeysFile = join(folder, 'keys.pem');
  if (publicKey !== undefined) await writeFile(tokenKeysFile, publicKey);
  const flags = publicKey !== undefined ? { tokenKeysFile } : signer && { tokenSecret: signer.secret };
  try {
    return await withWorkers(async (keep) => {
      const { worker, port } = await startSubject(sluice('protobuf'), { topics: 0, flags });
      keep(worker);
      const receivers = keep(startReceivers());
      const nowSeconds = Math.floor(Date.now() / 1000);
      const rounds = Math.ceil(handshakes / together);
      const taken = { seconds: 0, cpu: 0, loadCpu: 0, failed: 0, p99Ms: 0 };
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        const tokens = signer && { ...signer, in: 'url' as const, issuedAtSeconds: nowSeconds + round };
        const before = cpuSeconds(worker.pid);
        const opened = await receivers.call('open', {
          ...{ port, dialect: 'protobuf', messageBytes: 200, topics: [], mayFail: true },
          ...{ tokens, inFlight, connections: together },
        });
        const cpu = cpuSeconds(worker.pid) - before;
        await receivers.call('close');
        if (round === 0) continue;
        taken.seconds += opened.seconds;
        taken.cpu += cpu;
        taken.loadCpu += opened.cpu / rounds;
        taken.failed += opened.failed;
        taken.p99Ms = Math.max(taken.p99Ms, opened.ready.p99Ms);
      }
      const count = rounds * together;
      const { seconds, cpu, loadCpu, p99Ms, failed } = taken;
      return { perSecond: count / seconds, perCoreSecond: count / cpu, loadCpu, p99Ms, failed };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function medianOf(seen: readonly Handshakes[]): Handshakes {
  const of = (pick: (each: Handshakes) => number) => median(seen.map(pick));
  return {
    perSecond: of(({ perSecond }) => perSecond),
    perCoreSecond: of(({ perCoreSecond }) => perCoreSecond),
    loadCpu: of(({ loadCpu }) => loadCpu),
    p99Ms: of(({ p99Ms }) => p99Ms),
    failed: seen.reduce((sum, each) => sum + each.failed, 0),
  };
}

export default scenario(options, async (chosen, say) => {
  const all = kinds();
  const runs = new Map<Kind, Handshakes[]>(all.map((kind) => [kind, []]));
  for (let i = 0; i < chosen.runs; i++) {
    for (const [kind, done] of runs) {
      say(`${kind.name}, run ${i + 1} of ${chosen.runs}`);
      done.push(await measure(kind, chosen));
    }
  }
  const figures = new Map([...runs].map(([kind, done]) => [kind, medianOf(done)]));
  const [none, hs256] = all.map((kind) => figures.get(kind)!) as [Handshakes, Handshakes];
  const rows = [...figures].map(([{ name }, each]) => [
    ...[name, Math.round(each.perSecond), each.perSecond / none.perSecond],
    ...[Math.round(each.perCoreSecond), each.perCoreSecond / none.perCoreSecond],
    ...[each.p99Ms, percentText(each.loadCpu), each.failed],
  ]);
  const failed = [...figures.values()].reduce((sum, each) => sum + each.failed, 0);
  const ratio = hs256.perSecond / none.perSecond;
  const coreRatio = hs256.perCoreSecond / none.perCoreSecond;
  const columns = [
    '',
    'handshakes/s',
    'x none',
    '… per second of its core',
    'x none',
    'p99 ms',
    'load CPU',
    'failed',
  ];
  return {
    tables: [{ title: `${chosen.handshakes} handshakes, each with a token of its own`, columns, rows }],
    claims: [
      claim('every handshake succeeds', failed === 0, `${failed} did not`),
      atLeast('handshakes per second with distinct HS256 tokens, to those without', ratio, limit, 'x'),
      atLeast('… per second of the server’s core', coreRatio, limit, 'x'),
    ],
    ratios: [
      { name: 'handshakes per second of the core, HS256 to none', value: coreRatio, better: 'higher' },
    ],
    facts: { runs: Object.fromEntries([...runs].map(([{ name }, done]) => [name, done])) },
  };
});
