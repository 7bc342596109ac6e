import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds } from './support/proc.ts';
import { percentText } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { atLeast, claim, type OptionsOf, scenario, usual } from './support/scenario.ts';
import type { TokenSigner } from './support/tokens.ts';
import { sluice, startSubject } from './trials/subject.ts';
import { startReceivers, withWorkers } from './trials/trial.ts';

const options = {
  handshakes: { default: 10_000, sentence: 'Handshakes of each row, each with a token of its own.' },
  together: { default: 2000, sentence: 'Connections that are opened before they are closed again.' },
  inFlight: { default: 200, sentence: 'Handshakes under way at a time.' },
  runs: usual.runs,
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
          port,
          dialect: 'protobuf',
          messageBytes: 200,
          topics: [],
          mayFail: true,
          tokens,
          inFlight,
          connections: together,
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

export default scenario(options, async (chosen, say) => {
  const all = kinds();
  const [none, secret] = all;
  const runs = await inTurn(all, chosen.runs, say, (kind) => measure(kind, chosen));
  const perSecond = (seen: Handshakes) => seen.perSecond;
  const perCoreSecond = (seen: Handshakes) => seen.perCoreSecond;
  const rows = all.map((kind) => [
    ...[kind.name, Math.round(runs.of(kind, perSecond)), runs.ratio(kind, none, perSecond)],
    ...[Math.round(runs.of(kind, perCoreSecond)), runs.ratio(kind, none, perCoreSecond)],
    ...[runs.of(kind, ({ p99Ms }) => p99Ms), percentText(runs.of(kind, ({ loadCpu }) => loadCpu))],
    runs.sum(({ failed }) => failed, kind),
  ]);
  const failed = runs.sum((seen) => seen.failed);
  const coreRatio = runs.ratio(secret, none, perCoreSecond);
  const perCore = '… per second of its core';
  const columns = ['', 'handshakes/s', 'x none', perCore, 'x none', 'p99 ms', 'load CPU', 'failed'];
  return {
    tables: [{ title: `${chosen.handshakes} handshakes, each with a token of its own`, columns, rows }],
    claims: [
      claim('every handshake succeeds', failed === 0, `${failed} did not`),
      atLeast(
        'handshakes per second with distinct HS256 tokens, to those without',
        runs.ratio(secret, none, perSecond),
        limit,
        'x',
      ),
      atLeast('… per second of the server’s core', coreRatio, limit, 'x'),
    ],
    ratios: [
      { name: 'handshakes per second of the core, HS256 to none', value: coreRatio, better: 'higher' },
    ],
    facts: { runs: runs.facts },
  };
});
