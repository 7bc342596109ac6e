/** The prefixes of one account's patterns. */
class Prefixes {
  readonly views = new Map<string, number>();
  /** In order: a prefix comes before those that begin with it, and these follow one another. */
  readonly sorted: string[] = [];

  /** Where this one is among the sorted, or would be. */
  indexOf(prefix: string): number {
    let low = 0;
    for (let high = this.sorted.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] as string) < prefix) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Counts views of patterns by account and prefix. A topic may be matched by as many of them as its name has characters,
 * and each publication is sent by each of these, so that few of one client may match the same topic. One account may
 * have a pattern for each of thousands of sessions, so that none looks at all of them.
 */
export class NestedPatterns {
  readonly #byAccount = new Map<string, Prefixes>();

  /** One view more of this account, or one less. */
  count(account: string, prefix: string, by: 1 | -1): void {
    const prefixes = this.#byAccount.get(account) ?? new Prefixes();
    const { views, sorted } = prefixes;
    const before = views.get(prefix) ?? 0;
    if (before === 0) sorted.splice(prefixes.indexOf(prefix), 0, prefix);
    views.set(prefix, before + by);
    if (before + by <= 0) {
      views.delete(prefix);
      sorted.splice(prefixes.indexOf(prefix), 1);
    }
    if (views.size > 0) this.#byAccount.set(account, prefixes);
    else this.#byAccount.delete(account);
  }

  /** How many views of this account match one and the same topic, of those that begin with this prefix, at most. */
  mostAround(account: string, prefix: string): number {
    const prefixes = this.#byAccount.get(account);
    if (prefixes === undefined) return 0;
    let above = 0;
    for (let length = 0; length < prefix.length; length++)
      above += prefixes.views.get(prefix.slice(0, length)) ?? 0;
    return above + mostNested(prefixes, prefix);
  }
}

/** The largest sum of views whose prefixes are prefixes of each other, and begin with this one. */
function mostNested(prefixes: Prefixes, within: string): number {
  const around: { readonly prefix: string; readonly sum: number }[] = [];
  let most = 0;
  for (let i = prefixes.indexOf(within); prefixes.sorted[i]?.startsWith(within); i++) {
    const prefix = prefixes.sorted[i] as string;
    while (around.length > 0 && !prefix.startsWith((around.at(-1) as { prefix: string }).prefix))
      around.pop();
    const sum = (around.at(-1)?.sum ?? 0) + (prefixes.views.get(prefix) as number);
    around.push({ prefix, sum });
    most = Math.max(most, sum);
  }
  return most;
}
