/** Edit distance of two texts: inserted, missing, wrong or swapped letters. */
function distance(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    const above = rows[row - 1]!;
    for (let column = 1; column <= right.length; column++) {
      const wrong = above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      const swap = swapped ? rows[row - 2]![column - 2]! + 1 : wrong;
      current.push(Math.min(wrong, swap, above[column]! + 1, current[column - 1]! + 1));
    }
    rows.push(current);
  }
  return rows[left.length]![right.length]!;
}

const wordsOf = (name: string) =>
  name
    .replace(/(?<=[a-z])[A-Z]/g, '-$&')
    .toLowerCase()
    .split(/[-_]/);
const plain = (name: string) => wordsOf(name).join('');
/** The same for `--max-connections` and `--connections-max`. */
const unordered = (name: string) => wordsOf(name).sort().join('');

/** What is longer is no name: comparing it would take memory by its length. */
const nameMaxLength = 100;

/** The known name that was probably meant. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  if (name.length > nameMaxLength) return undefined;
  const away = (each: string) =>
    Math.min(...[plain, unordered].map((spelt) => distance(spelt(name), spelt(each))));
  const ranked = known
    .map((each) => ({ each, away: away(each) }))
    .sort((left, right) => left.away - right.away);
  const best = ranked[0];
  return best && best.away <= Math.max(1, Math.floor(name.length / 4)) ? best.each : undefined;
}

/** ", did you mean X?" where one of the known names is close; else nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestOf(name, known);
  return nearest === undefined ? '' : `, did you mean ${nearest}?`;
}
