/** Number of single-character changes between two texts (Levenshtein). */
function distance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...left].entries()) {
    const current = [row + 1];
    for (let column = 0; column < right.length; column++) {
      const change = previous[column]! + (letter === right[column] ? 0 : 1);
      current.push(Math.min(change, previous[column + 1]! + 1, current[column]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}

const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, '');

/** ", did you mean X?" where one of the known names is close; else nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  const ranked = known
    .map((each) => ({ each, away: distance(plain(name), plain(each)) }))
    .sort((left, right) => left.away - right.away);
  const best = ranked[0];
  return best && best.away <= Math.max(1, Math.floor(name.length / 4)) ? `, did you mean ${best.each}?` : '';
}
