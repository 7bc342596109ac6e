import type { StateClient } from './clients.ts';
import { covers, matches, topics, type Value } from './plan.ts';
import type { Writer } from './writer.ts';

interface Latest {
  readonly next?: string;
  readonly messages: readonly { readonly key: string; readonly data: { readonly n: number } }[];
}

/** The gateway's own values of a topic. */
async function latestOf(port: number, topic: string): Promise<Map<string, number>> {
  const values = new Map<string, number>();
  for (let next: string | undefined = ''; next !== undefined; ) {
    const query: string = next === '' ? '' : `?after=${encodeURIComponent(next)}`;
    const url = `http://127.0.0.1:${port}/api/topics/${encodeURIComponent(topic)}/latest${query}`;
    const answer = await fetch(url);
    if (answer.status === 404) return values;
    const page = (await answer.json()) as Latest;
    for (const { key, data } of page.messages) values.set(key, data.n);
    next = page.next;
  }
  return values;
}

/** How what is shown differs from what there must be. */
export function differences(
  shown: ReadonlyMap<string, number>,
  wanted: ReadonlyMap<string, Value>,
): string[] {
  const found: string[] = [];
  for (const [key, { n }] of wanted) {
    const is = shown.get(key);
    if (is === undefined) found.push(`${key} is missing (${n})`);
    else if (is !== n) found.push(`${key} is ${is}, not ${n}`);
  }
  for (const [key, n] of shown) if (!wanted.has(key)) found.push(`${key} is there still (${n})`);
  return found;
}

/** What differs in the end: of the gateways, and of each client. */
export async function judge(
  writer: Pick<Writer, 'expected'>,
  ports: readonly number[],
  clients: readonly StateClient[],
): Promise<{ gateways: string[]; clients: string[] }> {
  const expected = new Map(topics.map((topic) => [topic as string, writer.expected(topic)]));
  const gateways: string[] = [];
  for (const port of ports)
    for (const [topic, values] of expected)
      gateways.push(
        ...differences(await latestOf(port, topic), values).map((each) => `gateway: ${topic} ${each}`),
      );
  const found: string[] = [];
  for (const [i, client] of clients.entries())
    for (const { wish, topics: shown, values } of client.shown)
      for (const topic of new Set([...topics.filter((each) => covers(wish, each)), ...shown])) {
        const wanted = new Map(
          [...(expected.get(topic) ?? [])].filter(([key, value]) => matches(wish, key, value)),
        );
        const name = `client ${i} (${client.kind}), ${JSON.stringify(wish)}`;
        found.push(...differences(values(topic), wanted).map((each) => `${name}: ${topic} ${each}`));
      }
  return { gateways, clients: found };
}
