import { scenarios } from './scenarios.ts';
import { keyed } from './support/baseline.ts';
import { claim, type OptionSpec, type Outcome, type Ratio, scenario } from './support/scenario.ts';

const options = {
  seconds: { default: 3, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row.' },
  only: { default: '', sentence: 'Scenarios to look at, such as fanout,unicast; default: all of them.' },
} as const;

type Chosen = Readonly<Record<string, number | string | boolean>>;

/** The options of each scenario that differ from their defaults, besides seconds and runs. */
const plan: Readonly<Record<string, Chosen>> = {
  fanout: { peers: false },
  saturation: {},
  unicast: {},
  memory: { topics: '1', stored: 0 },
  storm: {},
  compression: {},
  http: {},
  filters: {},
  recovery: {},
  targets: {},
};

async function runScenario(name: string, chosen: Chosen, say: (line: string) => void): Promise<Outcome> {
  const { default: each } = await scenarios[name]!.load();
  const defaults = Object.entries<OptionSpec>(each.options).map(([option, spec]) => [option, spec.default]);
  const known = Object.entries(chosen).filter(([option]) => Object.hasOwn(each.options, option));
  const values = { ...Object.fromEntries(defaults), ...Object.fromEntries(known), ...plan[name] };
  return each.run(values, (line) => say(`${name}: ${line}`));
}

/** A scenario that fails does not stop the others. */
function broken(error: unknown): Outcome {
  const reason = error instanceof Error ? error.message.split('\n', 1)[0]! : String(error);
  return { tables: [], claims: [claim('it runs to its end', false, reason)] };
}

export default scenario(options, async ({ seconds, runs, only }, say) => {
  const names = only === '' ? Object.keys(plan) : only.split(',');
  const outcomes: { readonly name: string; readonly outcome: Outcome }[] = [];
  for (const name of names) {
    const outcome = await runScenario(name, { seconds, runs }, say).catch(broken);
    outcomes.push({ name, outcome });
  }
  const claims = outcomes.flatMap(({ name, outcome }) =>
    outcome.claims.map((each) => ({ ...each, name: `${name}: ${each.name}` })),
  );
  const ratios: Ratio[] = outcomes.flatMap(({ name, outcome }) =>
    [...keyed(name, outcome.ratios ?? [])].map(([key, ratio]) => ({ ...ratio, name: key })),
  );
  return {
    tables: outcomes.flatMap(({ outcome }) => outcome.tables),
    claims,
    ratios,
    facts: Object.fromEntries(outcomes.map(({ name, outcome }) => [name, outcome.facts])),
  };
});
