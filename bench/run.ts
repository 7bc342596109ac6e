import { Command } from 'commander';
import { buildGateway } from './support/build.ts';
import { asJson, asText } from './support/report.ts';
import { commandOption, type Scenario } from './support/scenario.ts';

/** A line each; a file of this folder is loaded when it is asked for. */
const scenarios: Readonly<Record<string, { sentence: string; load: () => Promise<{ default: Scenario }> }>> =
  {
    fanout: {
      sentence: 'CPU, latency and deliveries to 1000 connections on one topic, beside raw uWebSockets.js.',
      load: () => import('./fanout.ts'),
    },
    faults: {
      sentence: 'Cuts connections, stalls clients and kills the gateway, and accounts for every publication.',
      load: () => import('./faults.ts'),
    },
    stalled: {
      sentence: '100 of 1000 clients stop reading: latency of the others, memory, and how the 100 come back.',
      load: () => import('./stalled.ts'),
    },
    http: {
      sentence: 'autocannon on POST /api/publish, single and batch, beside a raw uWebSockets.js handler.',
      load: () => import('./http.ts'),
    },
    crash: {
      sentence: 'Kills publishers to the engine lmdb again and again, and looks at what is stored.',
      load: () => import('./crash.ts'),
    },
    engines: {
      sentence: 'Appends per second of each engine, with 1, 10 and 100 publishers.',
      load: () => import('./engines.ts'),
    },
    memory: {
      sentence: 'Bytes per idle connection with 0, 1 and 10 topics, beside raw uWebSockets.js.',
      load: () => import('./memory.ts'),
    },
  };

const [name = '', ...args] = process.argv.slice(2);
const entry = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;

if (entry === undefined) {
  for (const [each, { sentence }] of Object.entries(scenarios)) console.log(`${each.padEnd(10)} ${sentence}`);
  process.exit(name === '' ? 0 : 2);
}

const { default: scenario } = await entry.load();
const command = new Command(`bench ${name}`).description(entry.sentence);
for (const [option, spec] of Object.entries(scenario.options)) command.addOption(commandOption(option, spec));
const options = command.option('--json', 'print JSON').parse(args, { from: 'user' }).opts();

// Progress goes beside what is printed, so that JSON can be piped.
const say = (line: string) => process.stderr.write(`${line}\n`);
buildGateway(say);
const outcome = await scenario.run(options, say);
console.log(options['json'] === true ? asJson(name, options, outcome) : asText(outcome));
process.exit(outcome.claims.every(({ holds }) => holds) ? 0 : 1);
