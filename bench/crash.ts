import { crash } from '../test/engines/lmdb/crash/crashes.ts';
import { canContain, race } from '../test/engines/lmdb/crash/races.ts';
import { claim, scenario } from './support/scenario.ts';

const options = {
  kills: { default: 100, sentence: 'How often the publisher is killed, without --sync and again with it.' },
  races: {
    default: 200,
    sentence: 'How often three processes begin on the folder of a killed one in the same instant.',
  },
  seed: { default: 1, sentence: 'Chooses the moments.' },
} as const;

export default scenario(options, async ({ kills, races, seed }, say) => {
  const rows: (string | number)[][] = [];
  const claims = [];
  for (const sync of [false, true]) {
    const name = sync ? 'lmdb --sync' : 'lmdb';
    say(`${name}: ${kills} times`);
    const report = await crash({ kills, seed, sync });
    rows.push([name, report.kills, report.acknowledged, report.unacknowledged, report.faults.length]);
    claims.push(
      claim(
        `${name}: nothing acknowledged is lost, nothing is twice, no epoch changes`,
        report.faults.length === 0 && report.acknowledged > 0,
        report.faults[0] ?? `${report.acknowledged} acknowledged`,
      ),
    );
  }
  for (const contained of canContain() ? [false, true] : [false]) {
    const where = contained ? ' in containers of their own' : '';
    say(`three starters${where}, ${races} rounds`);
    const { twoOwners, noOwner } = await race({ rounds: races, starters: 3, contained });
    claims.push(
      claim(
        `${races} times three processes${where} begin on the folder of a killed one: one owner`,
        twoOwners === 0 && noOwner === 0,
        `${twoOwners} times more than one, ${noOwner} times none`,
      ),
    );
  }
  const columns = ['engine', 'kills', 'acknowledged', 'stored without', 'faults'];
  return { tables: [{ title: `kill -9 of a publisher, seed ${seed}`, columns, rows }], claims };
});
