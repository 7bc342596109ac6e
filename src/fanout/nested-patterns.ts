/**
 * Counts views of patterns by account and prefix. A topic may be matched by as many of them as its name has characters,
 * and each publication is sent by each of these, so that few of one client may match the same topic.
 */
export class NestedPatterns {
  readonly #byAccount = new Map<string, Map<string, number>>();

  /** One view more of this account, or one less. */
  count(account: string, prefix: string, by: 1 | -1): void {
    const views = this.#byAccount.get(account) ?? new Map<string, number>();
    const count = (views.get(prefix) ?? 0) + by;
    if (count > 0) views.set(prefix, count);
    else views.delete(prefix);
    if (views.size > 0) this.#byAccount.set(account, views);
    else this.#byAccount.delete(account);
  }

  /** How many views of this account match one and the same topic, of those that begin with this prefix, at most. */
  mostAround(account: string, prefix: string): number {
    const below: [prefix: string, views: number][] = [];
    let above = 0;
    for (const [each, views] of this.#byAccount.get(account) ?? []) {
      if (prefix.startsWith(each)) above += views;
      else if (each.startsWith(prefix)) below.push([each, views]);
    }
    return above + mostNested(below);
  }
}

/** The largest sum of views whose prefixes are prefixes of each other. */
function mostNested(below: [prefix: string, views: number][]): number {
  // A prefix comes before those that begin with it, and these follow one another.
  below.sort(([a], [b]) => (a < b ? -1 : 1));
  const around: { readonly prefix: string; readonly sum: number }[] = [];
  let most = 0;
  for (const [prefix, views] of below) {
    while (around.length > 0 && !prefix.startsWith((around.at(-1) as { prefix: string }).prefix))
      around.pop();
    const sum = (around.at(-1)?.sum ?? 0) + views;
    around.push({ prefix, sum });
    most = Math.max(most, sum);
  }
  return most;
}
