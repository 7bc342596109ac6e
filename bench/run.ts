import { Command } from 'commander';
import { type Entry, scenarios } from './scenarios.ts';
import { comparison, type KeyedRatios, keyed, saveBaseline } from './support/baseline.ts';
import { buildGateway } from './support/build.ts';
import { asJson, asText, machine, machineText, tableText } from './support/report.ts';
import { commandOption } from './support/scenario.ts';

const exitCodes = { fails: 1, unjudged: 3 } as const;
const [name = '', ...args] = process.argv.slice(2);
const entries: Readonly<Record<string, Entry>> = {
  claims: {
    sentence: 'All that the gateway has to show, from short runs of the others, in one table.',
    load: () => import('./claims.ts'),
  },
  ...scenarios,
};
const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;

if (entry === undefined) {
  for (const [each, { sentence }] of Object.entries(entries)) console.log(`${each.padEnd(11)} ${sentence}`);
  process.exit(name === '' ? 0 : 2);
}

const { default: scenario } = await entry.load();
const command = new Command(`bench ${name}`)
  .description(entry.sentence)
  .option('--json', 'print JSON')
  .option('--compare', 'beside the ratios of baseline.json')
  .option('--save-baseline', 'keep the ratios in baseline.json');
for (const [option, spec] of Object.entries(scenario.options)) command.addOption(commandOption(option, spec));
const options = command.parse(args, { from: 'user' }).opts();

// Progress goes beside what is printed, so that JSON can be piped.
const say = (line: string) => process.stderr.write(`${line}\n`);
buildGateway(say);
const outcome = await scenario.run(options, say);
const ratios: KeyedRatios = keyed(name, outcome.ratios ?? []);
const compared = options['compare'] === true ? comparison(ratios) : undefined;
if (options['json'] === true) {
  console.log(asJson(name, options, outcome, compared));
} else {
  console.log(`${machineText(machine())}\n\n${asText(outcome)}`);
  if (compared !== undefined) console.log(`\n${tableText(compared)}`);
}
if (options['saveBaseline'] === true) saveBaseline(ratios, machine());
for (const each of outcome.unjudged ?? []) say(`NOT JUDGED, the machine was too busy: ${each}`);
if (!outcome.claims.every(({ holds }) => holds)) process.exit(exitCodes.fails);
process.exit((outcome.unjudged ?? []).length > 0 ? exitCodes.unjudged : 0);
