import { codecs } from '../src/protocol/codecs.ts';
import { type CodecName, type FramesReport, fuzzFrames } from './fuzz/frames.ts';
import { fuzzRequests } from './fuzz/requests.ts';
import { startGateway } from './support/gateway.ts';
import { type Claim, claim, scenario, type Table } from './support/scenario.ts';

const options = {
  frames: { default: 1_000_000, sentence: 'Frames with faults, of each codec.' },
  requests: { default: 100_000, sentence: 'HTTP requests with faults: heads, targets, parameters, bodies.' },
  seed: { default: 1, sentence: 'Chooses the faults.' },
} as const;

const flags = [
  '--log-level=info',
  '--commands-per-second=1000000',
  '--http-requests-per-second-per-ip=1000000',
  '--topics-max=1000000',
];

export default scenario(options, async ({ frames, requests, seed }, say) => {
  // An uncaught error ends the process, which fails the first claim.
  const gateway = await startGateway(flags);
  const { port } = gateway;
  const isAlive = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    const byCodec: [CodecName, FramesReport][] = [];
    for (const codec of Object.keys(codecs) as CodecName[]) {
      if (frames === 0) break;
      say(`${frames} frames of ${codec}`);
      byCodec.push([codec, await fuzzFrames({ port, codec, frames, seed })]);
    }
    say(`${requests} requests`);
    const http = await fuzzRequests({ port, requests, seed });
    for (const fault of http.faults) say(fault);
    const alive = await isAlive();
    const internal = alive
      ? (await gateway.scrape()).value('sluice_command_errors_total', 'code="internal"')
      : Number.NaN;
    const none = (name: string, count: number): Claim => claim(name, count === 0, count);
    const tables: Table[] = [
      {
        title: 'frames',
        columns: ['codec', 'frames', 'connections closed', 'hangs', 'longest wait, ms'],
        rows: byCodec.map(([codec, each]) => [
          codec,
          each.frames,
          each.closed,
          each.hangs,
          Math.round(each.longestMs),
        ]),
      },
      {
        title: `${http.requests} requests`,
        columns: ['outcome', 'how many'],
        rows: Object.entries(http.outcomes).sort(([a], [b]) => a.localeCompare(b)),
      },
    ];
    return {
      tables,
      claims: [
        claim('the gateway lives and is ready', alive, String(alive)),
        none(
          'rounds of frames without a reply or a close',
          byCodec.reduce((sum, [, { hangs }]) => sum + hangs, 0),
        ),
        none('requests without an answer or a close', http.hangs),
        none('requests answered by 500', http.outcomes['500'] ?? 0),
        none('commands that failed inside', internal),
      ],
    };
  } finally {
    await gateway.end();
  }
});
