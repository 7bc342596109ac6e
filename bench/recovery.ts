import { setTimeout } from 'node:timers/promises';
import type { Position } from '../src/protocol/frames.ts';
import type { Received } from './load/receivers.ts';
import { median, percentText } from './support/report.ts';
import { nothingLost } from './support/runs.ts';
import { atMost, type OptionsOf, scenario, usual } from './support/scenario.ts';
import { type StartedSubject, sluice, startSubject } from './trials/subject.ts';
import { startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  clients: { default: 1000, sentence: 'Clients that come back at once.' },
  behind: { default: 500, sentence: 'Publications that each of them has missed.' },
  others: { default: 100, sentence: 'Clients that stayed; their latency is taken.' },
  rate: { default: 100, sentence: 'Publications per second all the while.' },
  bytes: usual.bytes,
  inFlight: { default: 400, sentence: 'Handshakes under way at a time.' },
  rounds: { default: 3, sentence: 'Storms; the claims are about their median.' },
} as const;
type Options = OptionsOf<typeof options>;

const topics = topicNames(1);
const calmSeconds = 2;
const stormSeconds = 4;
const giveUpMs = 30_000;
const recoveredWithinMs = 2000;
const othersLimitMs = 100;

interface Storm {
  readonly tookMs: number;
  readonly calm: Received;
  readonly others: Received;
  /** Load of the returning clients. */
  readonly loadCpu: number;
  readonly lost: number;
}

async function positionOf(port: number): Promise<Position> {
  const response = await fetch(`http://127.0.0.1:${port}/api/topics/${topics[0]}`);
  return (await response.json()) as Position;
}

function storm({ worker, port }: StartedSubject, options: Options): Promise<Storm> {
  return withWorkers(async (keep) => {
    const { clients, behind, others: stayed, rate, bytes, inFlight } = options;
    const opening = { port, dialect: 'protobuf', messageBytes: bytes, topics } as const;
    const others = keep(startReceivers());
    const returning = keep(startReceivers());
    await others.call('open', { ...opening, connections: stayed, probes: stayed });
    const publish = (each: number, seconds: number) =>
      worker.call('publish', { topics, rate: each, seconds, bytes });
    await publish(behind, 1);
    await others.call('mark');
    await publish(rate, calmSeconds);
    const calm = await others.call('read');

    const { epoch, offset } = await positionOf(port);
    const since = { epoch, offset: offset - behind };
    await others.call('mark');
    await returning.call('mark');
    const publishing = publish(rate, stormSeconds);
    await setTimeout(500);
    const startMs = performance.now();
    const missed = (await positionOf(port)).offset - since.offset;
    await returning.call('open', { ...opening, connections: clients, inFlight, subscription: { since } });
    const wanted = { each: true, withinMs: giveUpMs };
    await returning.call('settle', { ...wanted, publications: missed });
    const tookMs = performance.now() - startMs;
    await publishing;
    const all = (await positionOf(port)).offset - since.offset;
    await returning.call('settle', { ...wanted, publications: all });
    const received = await returning.call('read');
    const lost = Math.abs(all * clients - received.publications) + received.seams + received.closed;
    return { tookMs, calm, others: await others.call('read'), loadCpu: received.cpu, lost };
  });
}

export default scenario(options, async (chosen, say) => {
  const storms: Storm[] = [];
  for (let i = 0; i < chosen.rounds; i++) {
    say(`storm ${i + 1} of ${chosen.rounds}`);
    const subject = sluice('protobuf');
    const seen = await withWorkers(async (keep) => {
      const started = await startSubject(subject, { topics: 1 });
      keep(started.worker);
      return storm(started, chosen);
    });
    storms.push(seen);
  }
  const of = (pick: (each: Storm) => number) => median(storms.map(pick));
  const lost = storms.reduce((sum, each) => sum + each.lost, 0);
  const columns = [
    'storm',
    'all are back ms',
    'others p99 ms',
    '… before ms',
    'lost',
    'load CPU',
    'others’ loop p99 ms',
  ];
  const rows = storms.map((each, i) => [
    `${i + 1}`,
    each.tookMs,
    each.others.latency.p99Ms,
    each.calm.latency.p99Ms,
    each.lost,
    percentText(each.loadCpu),
    each.others.loopDelayP99Ms,
  ]);
  const name = `${chosen.clients} clients come back at once, ${chosen.behind} behind each`;
  return {
    tables: [{ title: `${name}, at ${chosen.rate}/s`, columns, rows }],
    claims: [
      nothingLost(lost),
      atMost(
        `${name}: all have everything`,
        of(({ tookMs }) => tookMs),
        recoveredWithinMs,
        'ms',
      ),
      atMost(
        '… p99 of the others meanwhile',
        of(({ others }) => others.latency.p99Ms),
        othersLimitMs,
        'ms',
      ),
    ],
    facts: { storms },
  };
});
