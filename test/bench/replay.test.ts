import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Journal, type JournalRecord, kinds } from '../../bench/faults/journal.ts';
import { topicOfClient, topics } from '../../bench/faults/plan.ts';
import { Published } from '../../bench/faults/published.ts';
import { emptyTally, Replay, type Tally } from '../../bench/faults/replay.ts';
import { newFolder } from '../support/temporary.ts';

const clients = Array.from({ length: 100 }, (_, i) => i);
const streamClient = clients.find((client) => topics[topicOfClient(client)]!.mode === 'stream')!;
const stateClient = clients.find((client) => topics[topicOfClient(client)]!.mode === 'state')!;

/** The number of the publication at an offset: two keys in turn. */
const serialAt = (topic: number, offset: number): number =>
  (25 * offset + (offset % 2)) * topics.length + topic;

/** Offsets 1 to 4 of one topic were acknowledged, in the epochs that are named. */
function published(client: number, epochs = ['e1']): Published {
  const path = join(newFolder(), 'publisher');
  const journal = new Journal(path);
  const topic = topicOfClient(client);
  for (const [i, epoch] of epochs.entries()) {
    for (let offset = 1; offset <= 4; offset++) {
      journal.add(kinds.acknowledged, topic, epoch, offset, 7, serialAt(topic, offset + 10 * i));
    }
  }
  journal.close();
  return new Published(path);
}

type Line = Pick<JournalRecord, 'kind' | 'offset'> & Partial<JournalRecord>;

function tallyOf(client: number, lines: readonly Line[], epochs?: string[]): Partial<Tally> {
  const tally = emptyTally();
  const replay = new Replay(client, published(client, epochs), tally, () => undefined);
  const topic = topicOfClient(client);
  for (const line of lines) {
    const serial = serialAt(topic, line.offset + (line.epoch === 'e2' ? 10 : 0));
    replay.read({ who: client, epoch: 'e1', hash: 7, serial, ...line });
  }
  replay.account();
  return Object.fromEntries(Object.entries(tally).filter(([, count]) => count > 0));
}

const { start, live, recovered, lost, reset, restart, entry, snapshot } = kinds;
const each = (kind: typeof live | typeof recovered, ...offsets: number[]): Line[] =>
  offsets.map((offset) => ({ kind, offset }));

describe('the account of a client of a stream', () => {
  it('is even when everything after the start was handed over', () => {
    const lines = [{ kind: start, offset: 1 }, ...each(live, 2), ...each(recovered, 3, 4)];
    expect(tallyOf(streamClient, lines)).toEqual({ live: 1, recovered: 2 });
  });

  it('names a hole that was not told, also at the end', () => {
    expect(tallyOf(streamClient, [{ kind: start, offset: 0 }, ...each(live, 1, 3)])).toEqual({
      live: 2,
      unaccounted: 2,
    });
  });

  it('takes a hole that was told for told, and what was told and handed over for a fault', () => {
    const told = { kind: lost, offset: 1, hash: 3 };
    expect(
      tallyOf(streamClient, [{ kind: start, offset: 0 }, ...each(live, 1), told, ...each(live, 4)]),
    ).toEqual({ live: 2, toldAsLost: 2 });
    const all = [{ kind: start, offset: 0 }, ...each(live, 1, 2), told, ...each(live, 3, 4)];
    expect(tallyOf(streamClient, all)).toEqual({ live: 4, wronglyTold: 2 });
  });

  it('sees repeats and what is out of order', () => {
    const lines = [{ kind: start, offset: 0 }, ...each(live, 1, 2, 2, 4, 3)];
    expect(tallyOf(streamClient, lines)).toEqual({ live: 5, repeats: 1, outOfOrder: 1 });
  });

  it('sees another payload than the one that was acknowledged', () => {
    const lines = [{ kind: start, offset: 2 }, ...each(live, 3), { kind: live, offset: 4, hash: 8 }];
    expect(tallyOf(streamClient, lines)).toEqual({ live: 2, wrong: 1 });
  });

  it('takes what an old numbering still had as told when the new one begins, and nothing else', () => {
    const lines = [
      { kind: start, offset: 0 },
      ...each(live, 2),
      { kind: reset, offset: 1, epoch: 'e2' },
      ...each(live, 2, 3, 4).map((line) => ({ ...line, epoch: 'e2' })),
    ];
    expect(tallyOf(streamClient, lines, ['e1', 'e2'])).toEqual({
      live: 4,
      resets: 1,
      unaccounted: 1,
      toldAsLost: 2,
    });
  });
});

describe('the account of a client that a gateway that lags takes back to a numbering', () => {
  const inNext = (line: Line) => ({ ...line, epoch: 'e2' });
  const away = [{ kind: start, offset: 1 }, ...each(live, 2), inNext({ kind: reset, offset: 4 })];

  it('counts what it had there before, and what it gets again', () => {
    const back = [...away, { kind: reset, offset: 2 }];
    const had = { live: 3, resets: 2 };
    expect(tallyOf(streamClient, [...back, ...each(live, 3, 4)], ['e1', 'e2'])).toEqual(had);
    const again = tallyOf(streamClient, [...back, ...each(live, 2, 3, 4)], ['e1', 'e2']);
    expect(again).toEqual({ ...had, live: 4, repeats: 1 });
  });

  it('counts no repeats of a client that remembers no earlier numbering', () => {
    const back = [...away, { kind: restart, offset: 1 }, ...each(live, 2, 3, 4)];
    expect(tallyOf(streamClient, back, ['e1', 'e2'])).toEqual({ live: 4, resets: 2, toldAsLost: 2 });
  });

  it('misses what it got in neither time', () => {
    const back = [...away, { kind: reset, offset: 2 }, ...each(live, 4)];
    expect(tallyOf(streamClient, back, ['e1', 'e2'])).toEqual({
      live: 2,
      resets: 2,
      unaccounted: 1,
      toldAsLost: 1,
    });
  });
});

describe('the account of a client of a state topic', () => {
  it('takes an older value of a key for superseded, and misses the newest', () => {
    expect(tallyOf(stateClient, [{ kind: start, offset: 0 }, ...each(live, 3)])).toEqual({
      live: 1,
      superseded: 1,
      unaccounted: 2,
    });
  });

  it('counts the values of a snapshot as handed over', () => {
    const lines = [
      { kind: start, offset: 0 },
      { kind: entry, offset: 3 },
      { kind: entry, offset: 4 },
      { kind: snapshot, offset: 4 },
    ];
    expect(tallyOf(stateClient, lines)).toEqual({ snapshots: 1, snapshotValues: 2, superseded: 2 });
  });

  it('begins where its first snapshot does, of a gateway that has heard of less, and with nothing before', () => {
    const begun = [
      { kind: start, offset: 3 },
      { kind: entry, offset: 1 },
      { kind: snapshot, offset: 2 },
    ];
    const had = { snapshots: 1, snapshotValues: 1 };
    expect(tallyOf(stateClient, [...begun, ...each(recovered, 3, 4)])).toEqual({ ...had, recovered: 2 });
    expect(tallyOf(stateClient, [...begun, ...each(recovered, 3)])).toEqual({
      ...had,
      recovered: 1,
      unaccounted: 1,
    });
    const late = [{ kind: start, offset: 2 }, ...each(live, 3, 4), ...begun.slice(1)];
    expect(tallyOf(stateClient, late)).toEqual({ ...had, live: 2, outOfOrder: 1 });
  });

  it('takes what a newer value was still to replace for told, once the numbering began anew', () => {
    const caughtUpTo3 = [{ kind: start, offset: 0 }, ...each(recovered, 3)];
    expect(tallyOf(stateClient, caughtUpTo3)).toEqual({ recovered: 1, superseded: 1, unaccounted: 2 });
    const lines = [...caughtUpTo3, { kind: reset, offset: 0, epoch: 'e2' }];
    expect(tallyOf(stateClient, lines)).toEqual({ recovered: 1, superseded: 1, toldAsLost: 2, resets: 1 });
  });
});

it('a publication at two offsets is counted as published twice', () => {
  const path = join(newFolder(), 'twice');
  const journal = new Journal(path);
  journal.add(kinds.acknowledged, 0, 'e1', 1, 7, 20);
  journal.add(kinds.acknowledged, 0, 'e1', 2, 7, 20);
  journal.close();
  expect(new Published(path).doubled).toBe(1);
});
