import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Fanout } from '../../../src/fanout/fanout.ts';
import type { View } from '../../../src/fanout/view.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { answeredBy, BusLine, otherNodesBy } from '../../../src/server/bus-line.ts';
import { HeldBytes } from '../../../src/sessions/limits/charges.ts';
import { Presence, type PresenceCalls } from '../../../src/sessions/users/presence.ts';
import type { BusListener } from '../../../src/topics/engine.ts';
import { codecs } from '../../support/codecs.ts';
import { RecordedMetrics } from '../../support/metrics.ts';

/**
 * Random lives of machines whose sessions join and leave topics. Messages of one machine arrive in the order in which
 * it sent them, and at any time. RUNS=5000 makes more of them.
 */
const runs = Number(process.env['RUNS'] ?? 500);

const topics = ['room:1', 'room:2'];

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** The members of one topic as a client that watches it has been told. */
class Watch {
  readonly members: Set<string>;
  readonly view = {} as View;
  /** Who joined twice, or left without having joined. */
  readonly faults: string[] = [];

  constructor(members: Iterable<string>) {
    this.members = new Set(members);
  }

  hear(frame: ServerFrame): void {
    if (frame.kind !== 'joined' && frame.kind !== 'left') return;
    const { session } = frame.member;
    if (this.members.has(session) !== (frame.kind === 'left')) this.faults.push(`${session} ${frame.kind}`);
    if (frame.kind === 'joined') this.members.add(session);
    else this.members.delete(session);
  }
}

class Machine {
  readonly name: string;
  readonly presence: Presence;
  /** What it has not read yet, by sender; and the machines that it has yet to hear of. */
  readonly unread = new Map<string, string[]>();
  readonly news: string[][] = [];
  /** Where its sessions are. */
  readonly sessions: (readonly [session: string, topic: string])[] = [];
  readonly watches: ReadonlyMap<string, Watch>;
  #listener: BusListener | undefined;

  constructor(name: string, send: (text: string) => void) {
    this.name = name;
    const line = new BusLine(
      {
        node: name,
        listen: (listener) => {
          this.#listener = listener;
        },
        send: (text) => {
          send(text);
          return true;
        },
      },
      { warn: () => undefined },
    );
    const watches = new Map<string, Watch>();
    const made: Watch[] = [];
    const fanout = {
      attach: () => {
        const watch = new Watch([]);
        made.push(watch);
        return watch.view;
      },
      announce: (view: View, frame: ServerFrame) => made.find((watch) => watch.view === view)?.hear(frame),
    };
    this.presence = new Presence({
      fanout: fanout as unknown as Fanout,
      isOn: () => true,
      nowMs: () => 0,
      metrics: new RecordedMetrics().metrics,
      held: new HeldBytes({ perPayer: 1e9, total: 1e9 }),
      otherNodes: otherNodesBy<PresenceCalls>(line),
    });
    for (const topic of topics) {
      this.presence.watch(topic, codecs.protobuf as Parameters<Presence['watch']>[1]);
      watches.set(topic, made.at(-1) as Watch);
    }
    this.watches = watches;
    line.listen({
      ...answeredBy(this.presence.nodeHandlers(name)),
      came: () => void this.presence.nodesCame(),
      gone: (node) => this.presence.nodeGone(node),
    });
  }

  read(sender: string): void {
    const text = this.unread.get(sender)?.shift();
    if (text !== undefined) this.#listener?.message(text, sender);
  }

  hearNews(): void {
    const names = this.news.shift();
    if (names !== undefined) this.#listener?.nodes(names.filter((name) => name !== this.name));
  }
}

class Cluster {
  readonly machines: Machine[] = [];
  #started = 0;
  #sessions = 0;

  machine(pick: number): Machine | undefined {
    return this.machines[pick % Math.max(1, this.machines.length)];
  }

  start(): void {
    if (this.machines.length === 4) return;
    const name = `m${++this.#started}`;
    const machine: Machine = new Machine(name, (text) => {
      if (!this.machines.includes(machine)) return;
      for (const other of this.machines) {
        if (other === machine) continue;
        const unread = other.unread.get(name) ?? [];
        other.unread.set(name, unread);
        unread.push(text);
      }
    });
    this.machines.push(machine);
    this.#tellNodes();
  }

  /** It says nothing any more. What it has said is still read before the others hear of its end. */
  kill(pick: number): void {
    const machine = this.machine(pick);
    if (machine === undefined) return;
    for (const other of this.machines)
      while ((other.unread.get(machine.name)?.length ?? 0) > 0) other.read(machine.name);
    this.machines.splice(this.machines.indexOf(machine), 1);
    this.#tellNodes();
  }

  join(pick: number, topic: string): void {
    const machine = this.machine(pick);
    if (machine === undefined) return;
    const session = `s${++this.#sessions}`;
    machine.sessions.push([session, topic]);
    machine.presence.joined({ id: session, identity: {}, payer: { account: 'a', isVerified: true } }, topic);
  }

  leave(pick: number, which: number): void {
    const machine = this.machine(pick);
    const [left] = machine?.sessions.splice(which % Math.max(1, machine.sessions.length), 1) ?? [];
    if (left !== undefined) machine?.presence.left({ id: left[0] }, left[1]);
  }

  read(pick: number, from: number): void {
    const machine = this.machine(pick);
    const senders = [...(machine?.unread ?? [])].filter(([, texts]) => texts.length > 0);
    const [sender] = senders[from % Math.max(1, senders.length)] ?? [];
    if (sender !== undefined) machine?.read(sender);
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      for (const machine of this.machines) {
        while (machine.news.length > 0) machine.hearNews();
        for (const [sender, texts] of machine.unread) while (texts.length > 0) machine.read(sender);
      }
      await vi.advanceTimersByTimeAsync(round === 10 ? 1000 : 0);
    }
    for (const topic of topics) {
      const real = this.machines
        .flatMap(({ sessions }) => sessions)
        .flatMap(([session, at]) => (at === topic ? [session] : []))
        .toSorted();
      for (const { name, presence, watches } of this.machines) {
        const listed = presence.list(topic).map(({ session }) => session);
        expect([name, listed.toSorted()], 'listed').toEqual([name, real]);
        const { members, faults } = watches.get(topic) as Watch;
        expect([name, [...members].toSorted(), faults], 'told').toEqual([name, real, []]);
      }
    }
  }

  #tellNodes(): void {
    for (const { news } of this.machines) news.push(this.machines.map(({ name }) => name));
  }
}

const steps: Readonly<Record<string, (cluster: Cluster, pick: number, other: number) => unknown>> = {
  start: (cluster) => cluster.start(),
  kill: (cluster, pick) => cluster.kill(pick),
  join: (cluster, pick, other) => cluster.join(pick, topics[other % topics.length] as string),
  leave: (cluster, pick, other) => cluster.leave(pick, other),
  read: (cluster, pick, other) => cluster.read(pick, other),
  hearNews: (cluster, pick) => cluster.machine(pick)?.hearNews(),
  waitForReplies: () => vi.advanceTimersByTimeAsync(1000),
};

type Life = [name: string, pick: number, other: number][];

const often = ['join', 'leave', 'read', 'read', 'read', 'read', 'hearNews', 'hearNews'];
const step = fc.tuple(fc.constantFrom(...Object.keys(steps), ...often), fc.nat(5), fc.nat(5));

/** Found by them: a reply that comes too late, and a question that comes before the news of who asks it. */
const lateReply: Life = [
  ['hearNews', 3, 0],
  ['join', 0, 0],
  ['waitForReplies', 0, 0],
];
const earlyQuestion: Life = [
  ['hearNews', 0, 0],
  ['hearNews', 0, 0],
  ['join', 3, 0],
  ['read', 1, 0],
];

test('a machine that the others do not notice learns their members when it asks', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 3; i++) cluster.start();
  const [known, , newcomer] = cluster.machines as [Machine, Machine, Machine];
  // Of the first two, each knows the other; only the third one knows of itself.
  for (let i = 0; i < 2; i++) known.hearNews();
  while (newcomer.news.length > 0) newcomer.hearNews();
  cluster.join(0, 'room:1');
  for (const texts of newcomer.unread.values()) texts.length = 0;
  void newcomer.presence.learn();
  const asked = known.unread.get(newcomer.name) ?? [];
  // Not the news that it came.
  asked.splice(0, asked.length - 1);
  known.read(newcomer.name);
  await vi.advanceTimersByTimeAsync(0);
  newcomer.read(known.name);
  expect(newcomer.presence.list('room:1')).toMatchObject([{ session: 's1' }]);
});

test(
  'in the end all machines list the members that there are, and so do those that were told who joined and left',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (life) => {
        const cluster = new Cluster();
        for (let i = 0; i < 2; i++) cluster.start();
        for (const [name, pick, other] of life) {
          await steps[name]?.(cluster, pick, other);
          await Promise.resolve();
        }
        await cluster.settle();
      }),
      {
        numRuns: runs,
        examples: [[lateReply], [earlyQuestion]],
      },
    );
  },
  180_000 + runs * 100,
);

test('a machine that another took for gone, and that noticed nothing, is listed there again', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 2; i++) cluster.start();
  for (const pick of [0, 1]) cluster.join(pick, 'room:1');
  await cluster.settle();
  const [first, away] = cluster.machines as [Machine, Machine];
  first.news.push([first.name], [first.name, away.name]);
  await cluster.settle();
});
