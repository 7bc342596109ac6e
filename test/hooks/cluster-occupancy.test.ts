import { expect, test } from 'vitest';
import { ClusterOccupancy, type OccupancyNews } from '../../src/hooks/cluster-occupancy.ts';

/** Gateways that hear each other in the next turn, and what each says to the application. */
class Cluster {
  readonly said: string[] = [];
  nowMs = 0;
  readonly #gateways = new Map<string, { readonly shared: ClusterOccupancy; away: boolean }>();

  add(name: string): ClusterOccupancy {
    const others = () => [...this.#gateways.keys()].filter((other) => other !== name);
    const gateway: { away: boolean; readonly shared: ClusterOccupancy } = {
      away: false,
      shared: new ClusterOccupancy({
        gateways: {
          name,
          get others() {
            return others();
          },
          get isAway(): boolean {
            return gateway.away;
          },
          tell: (news) => {
            if (!gateway.away)
              for (const other of others()) this.#deliver(name, other, structuredClone(news));
          },
        },
        listener: {
          occupied: (topic) => this.said.push(`${name} +${topic}`),
          vacated: (topic) => this.said.push(`${name} -${topic}`),
          resync: () => this.said.push(`${name} =${[...(gateway.shared.topics ?? [])].sort()}`),
        },
        monotonicMs: () => this.nowMs,
      }),
    };
    this.#gateways.set(name, gateway);
    for (const other of others()) this.#gateways.get(other)?.shared.came();
    gateway.shared.sweep();
    return gateway.shared;
  }

  remove(name: string): void {
    this.#gateways.delete(name);
    for (const { shared } of this.#gateways.values()) shared.gone(name);
  }

  /** The engine can't be reached from there, or can be again. */
  setAway(name: string, away: boolean): void {
    const gateway = this.#gateways.get(name)!;
    gateway.away = away;
    gateway.shared.sweep();
  }

  sweep(): void {
    for (const { shared } of this.#gateways.values()) shared.sweep();
  }

  async settled(): Promise<string[]> {
    for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.said.splice(0);
  }

  #deliver(from: string, to: string, news: OccupancyNews): void {
    setImmediate(() => {
      const gateway = this.#gateways.get(to);
      if (gateway !== undefined && !gateway.away) gateway.shared.heard(from, news);
    });
  }
}

test('a single gateway reports the topics that it occupies, and no patterns', async () => {
  const cluster = new Cluster();
  const a = cluster.add('a');
  a.subscribed('x');
  a.subscribed('x');
  a.subscribed('x*');
  a.unsubscribed('x');
  a.unsubscribed('x*');
  expect(await cluster.settled()).toEqual(['a =', 'a +x']);
  a.unsubscribed('x');
  expect(await cluster.settled()).toEqual(['a -x']);
});

test('one of several gateways reports what is occupied anywhere, and all of it again when another joins', async () => {
  const cluster = new Cluster();
  const [b, a] = [cluster.add('b'), cluster.add('a')];
  expect(await cluster.settled()).toEqual(['b =', 'a =']);
  b.subscribed('x');
  a.subscribed('x');
  a.unsubscribed('x');
  expect(await cluster.settled()).toEqual(['a +x', 'a -x', 'a +x']);
  const c = cluster.add('c');
  expect(await cluster.settled()).toEqual(['a =x']);
  c.subscribed('y');
  b.unsubscribed('x');
  expect(await cluster.settled()).toEqual(['a +y', 'a -x']);
  expect([a.topics, b.topics]).toEqual([['y'], undefined]);
});

test('another gateway reports when that one is gone, and what only that one occupied is vacated', async () => {
  const cluster = new Cluster();
  const [a, b, c] = [cluster.add('a'), cluster.add('b'), cluster.add('c')];
  a.subscribed('of-a');
  b.subscribed('of-b');
  c.subscribed('of-c');
  await cluster.settled();
  cluster.remove('c');
  expect(await cluster.settled()).toEqual(['a -of-c']);
  cluster.remove('a');
  expect(await cluster.settled()).toEqual(['b =of-b']);
});

test('nothing is reported without the engine; then everything is reported again, with the changes meanwhile', async () => {
  const cluster = new Cluster();
  const [a, b] = [cluster.add('a'), cluster.add('b')];
  await cluster.settled();
  cluster.setAway('a', true);
  b.subscribed('missed');
  a.subscribed('untold');
  expect(await cluster.settled()).toEqual([]);
  cluster.setAway('a', false);
  expect(await cluster.settled()).toEqual(['a =missed,untold']);
});

test('news that were lost are noticed, and requested', async () => {
  const cluster = new Cluster();
  const [a, b] = [cluster.add('a'), cluster.add('b')];
  await cluster.settled();
  b.subscribed('x');
  await cluster.settled();
  a.heard('b', { changed: [['x', false]] });
  expect(await cluster.settled()).toEqual(['a -x']);
  cluster.nowMs += 10_000;
  cluster.sweep();
  expect(await cluster.settled()).toEqual(['a +x']);
});

test('a gateway that tells nothing is awaited for at most 2 s', async () => {
  const said: string[] = [];
  let nowMs = 0;
  const shared = new ClusterOccupancy({
    gateways: { name: 'b', others: ['a'], isAway: false, tell: () => undefined },
    listener: { occupied: (t) => said.push(`+${t}`), vacated: () => undefined, resync: () => said.push('=') },
    monotonicMs: () => nowMs,
  });
  shared.sweep();
  nowMs = 1999;
  shared.sweep();
  expect([said, shared.topics]).toEqual([[], undefined]);
  nowMs = 2000;
  shared.sweep();
  shared.subscribed('x');
  expect(said).toEqual(['=', '+x']);
});

test('a gateway that leaves is not awaited', async () => {
  const said: string[] = [];
  const others = ['a', 'c'];
  const shared = new ClusterOccupancy({
    gateways: { name: 'b', others, isAway: false, tell: () => undefined },
    listener: { occupied: (t) => said.push(`+${t}`), vacated: () => undefined, resync: () => said.push('=') },
    monotonicMs: () => 0,
  });
  shared.sweep();
  shared.heard('c', { all: ['x'], asks: false });
  expect(said).toEqual([]);
  others.shift();
  shared.gone('a');
  expect([said, shared.topics]).toEqual([['='], ['x']]);
});
