import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DictionaryTrial, dictionaryPolicy } from '../../src/fanout/dictionary.ts';
import type { View } from '../../src/fanout/view.ts';
import type { ViewOptions } from '../../src/fanout/view-options.ts';
import { codecs } from '../support/codecs.ts';
import { json } from '../topics/fixtures.ts';
import { Listener, makeWorld, onlyRoom, type WorldOptions } from './fixtures.ts';

const policy = dictionaryPolicy;

/** An update of a dashboard; those of one shape look alike. */
const update = (i: number, shape = 'metrics') => ({
  payload: json({ [`${shape}Host`]: 'web-01', [`${shape}Load`]: i * 1.37, [`${shape}Cores`]: [i, i % 7] }),
});

/** Crowded views with a listener. */
async function world(options: WorldOptions = {}) {
  const made = await makeWorld({ compressMinBytes: 256, ...options });
  await made.publish('a');
  const crowd = (target: string, more: Partial<ViewOptions> = {}, members = 2000) => {
    const view = made.view(target, { dictionaries: true, ...more });
    for (let i = 0; i < members; i++) made.fanout.addMember(view, made.sink.member);
    return { view, heard: new Listener(made.sink, view) };
  };
  /** Each in a batch of its own. */
  const send = async (topic: string, count: number, make: (i: number) => object = update) => {
    for (let i = 0; i < count; i++) {
      await made.publish(topic, make(i));
      made.turns.advance(10);
    }
  };
  /** Until a view of such updates has a dictionary. */
  const fill = async (view: View, topic = 'a') => {
    for (let i = 0; view.dictionary === undefined; i++) {
      if (i > 200) throw new Error('no dictionary');
      await send(topic, 1, () => update(i));
    }
  };
  return { ...made, crowd, send, fill };
}

describe('the dictionary of a view', () => {
  test('is made of its earlier publications, and announced before the first batch that makes use of it', async () => {
    const { crowd, fill, send, counts } = await world();
    const { view, heard } = crowd('a');
    await fill(view);
    await send('a', 20);
    const at = heard.frames.findIndex(({ kind }) => kind === 'dictionary');
    const [announced] = heard.dictionaries;
    expect(announced?.data.length).toBeGreaterThanOrEqual(policy.fillBytes);
    expect(heard.frames.slice(0, at).filter((frame) => frame.kind === 'batch' && frame.compressed)).toEqual(
      [],
    );
    const after = heard.frames.slice(at + 1);
    expect(after.map((frame) => frame.kind === 'batch' && frame.compressed?.dictionary)).toEqual(
      after.map(() => announced?.dictionary),
    );
    expect(heard.offsets).toEqual(heard.offsets.map((_, i) => i + 2));
    expect(counts.labels('dictionaryTrialsTotal')).toEqual(['first']);
  });

  test('makes single updates a third of what they are', async () => {
    const { crowd, fill, send, counts } = await world();
    await fill(crowd('a').view);
    counts.forget();
    await send('a', 50);
    const share = counts.of('frameBytesTotal', 'wire') / counts.of('frameBytesTotal', 'plain');
    expect(share).toBeLessThan(0.4);
  });

  test('does not hold the batch that it was tried with', async () => {
    const { crowd, fill } = await world();
    const { view, heard } = crowd('a');
    await fill(view);
    const dictionary = Buffer.from(heard.dictionaries[0]?.data ?? []).toString();
    const isIn = (batch: number) =>
      dictionary.includes(String(Buffer.from(heard.batches.at(batch)?.publications[0]?.payload.bytes ?? [])));
    // The last one came after the dictionary; the one before it was the trial.
    expect([isIn(-1), isIn(-2), isIn(-3)]).toEqual([false, false, true]);
  });

  test.each([
    ['a session is excepted from', { except: 'one' }],
    ['expires: members that join later are sent the dictionary', { ttlMs: 1 }],
  ])('does not hold what %s', async (_, apart) => {
    const { crowd, fill, publish, turns } = await world();
    const { view, heard } = crowd('a');
    for (let i = 0; i < 10; i++) {
      await publish('a', { ...update(i, 'secret'), ...apart });
      turns.advance(10);
    }
    await fill(view);
    expect(Buffer.from(heard.dictionaries[0]?.data ?? []).includes('secret')).toBe(false);
  });

  test('is not made for few receivers, for clients without the capability, and in JSON', async () => {
    const { crowd, send, counts } = await world();
    const few = crowd('a', {}, 50);
    const unable = crowd('a', { dictionaries: false });
    await send('a', 60);
    expect([
      few.view.dictionary?.dictionary,
      unable.view.dictionary?.dictionary,
      counts.labels('dictionaryTrialsTotal'),
    ]).toEqual([undefined, undefined, []]);
    expect(few.heard.offsets).toEqual(unable.heard.offsets);
  });

  test('is not made for data that can’t be compressed', async () => {
    const { crowd, send, counts } = await world();
    const { view } = crowd('a');
    await send('a', 60, () => ({
      payload: { format: 'binary', bytes: Uint8Array.from(randomBytes(200)) },
    }));
    expect([view.dictionary?.dictionary, counts.labels('dictionaryTrialsTotal')]).toEqual([
      undefined,
      ['rejected'],
    ]);
  });

  test('is not made when the option says so', async () => {
    for (const off of [{ compressMinBytes: 0 }, { dictionaryMinBytes: 0 }]) {
      const { crowd, send, counts } = await world(off);
      const { view } = crowd('a');
      await send('a', 60);
      expect([view.dictionary?.dictionary, counts.labels('dictionaryTrialsTotal')]).toEqual([undefined, []]);
    }
  });

  test('is each view’s own, and mixed clients hear the same', async () => {
    const { crowd, publish, turns } = await world();
    const room = crowd('a', { filter: onlyRoom('1') });
    const all = crowd('a');
    const plain = crowd('a', { dictionaries: false });
    const json = crowd('a', { codec: codecs.json, dictionaries: false }, 0);
    for (let i = 0; i < 150; i++) {
      const shape = i % 2 === 0 ? 'even' : 'odd';
      await publish('a', { ...update(i, shape), tags: { room: String(i % 2) } });
      turns.advance(10);
    }
    const text = (data: Uint8Array | undefined) => Buffer.from(data ?? []).toString();
    expect(text(room.view.dictionary?.data)).not.toContain('even');
    expect(text(all.view.dictionary?.data)).toContain('even');
    expect(all.heard.offsets).toEqual(plain.heard.offsets);
    expect(room.heard.offsets).toEqual(all.heard.offsets.filter((offset) => offset % 2 === 1));
    expect(json.view.dictionary).toBeUndefined();
  });

  test('of a pattern is made of what all its topics sent', async () => {
    const { crowd, publish, turns } = await world();
    const { view, heard } = crowd('p:*');
    for (let i = 0; i < 80; i++) {
      for (const topic of ['p:1', 'p:2', 'p:3']) await publish(topic, update(i, `of-${topic}`));
      turns.advance(10);
    }
    const text = Buffer.from(view.dictionary?.data ?? []).toString();
    for (const topic of ['p:1', 'p:2', 'p:3']) expect(text).toContain(`of-${topic}`);
    const last = heard.batches.slice(-3);
    expect(last.map(({ compressed }) => compressed?.dictionary)).toEqual([1, 1, 1]);
    expect(new Set(last.map(({ topic }) => topic)).size).toBe(3);
  });

  test('holds whole publications, also one that is larger than it need be, and none that is too large', async () => {
    const { crowd, send, counts } = await world();
    const { view } = crowd('a');
    const value = (i: number, k: number) => ((k * 7919) % 10_007) + (k === i ? 1 : 0);
    const large = (i: number) => ({ payload: json(Array.from({ length: 1000 }, (_, k) => value(i, k))) });
    await send('a', 10, large);
    expect(view.dictionary?.data.length).toBeGreaterThan(policy.fillBytes);
    expect(view.dictionary?.data.length).toBeLessThanOrEqual(policy.maxBytes);
    const other = crowd('b');
    await send('b', 10, () => ({ payload: json('x'.repeat(policy.maxBytes)) }));
    expect([other.view.dictionary?.dictionary, counts.labels('dictionaryTrialsTotal')]).toEqual([
      undefined,
      ['first'],
    ]);
  });

  test('is taken along in the budget of a turn', async () => {
    const { crowd, sink, publish, turns, fill } = await world({
      batch: { maxDelayMs: 0, maxBytes: 1 },
    });
    const { view, heard } = crowd('a');
    for (let i = 0; view.dictionary === undefined; i++) {
      for (let k = 0; k < 45; k++) await publish('a', update(k + i));
      turns.settle();
    }
    await fill(view);
    expect(Math.max(...sink.perTurn())).toBe(sink.framesMaxPerTurn);
    expect(heard.offsets).toEqual(heard.offsets.map((_, i) => i + 2));
  });
});

describe('a fresh dictionary', () => {
  const other = (i: number) => update(i, 'quite-another-shape');

  test('takes the place of one that updates have outgrown, after a while', async () => {
    const { crowd, fill, send, turns, counts } = await world();
    const { view, heard } = crowd('a');
    await fill(view);
    turns.advance(policy.trialMs);
    await send('a', policy.trialBatches - 1, other);
    expect(heard.dictionaries.map(({ dictionary }) => dictionary)).toEqual([1]);
    await send('a', policy.trialRuns + 1, other);
    expect(heard.dictionaries.map(({ dictionary }) => dictionary)).toEqual([1, 2]);
    expect(heard.batches.at(-1)?.compressed?.dictionary).toBe(2);
    expect(view.dictionary?.dictionary).toBe(2);
    expect(counts.labels('dictionaryTrialsTotal')).toEqual(['first', 'rotated']);
    expect(heard.offsets).toEqual(heard.offsets.map((_, i) => i + 2));
  });

  test('is dropped when it is hardly better', async () => {
    const { crowd, fill, send, turns, counts } = await world();
    const { view, heard } = crowd('a');
    await fill(view);
    turns.advance(policy.trialMs);
    await send('a', policy.trialBatches + policy.trialRuns);
    expect(counts.labels('dictionaryTrialsTotal')).toEqual(['first', 'rejected']);
    expect(heard.dictionaries.length).toBe(1);
  });

  test('is not tried before its time, however many batches there were', async () => {
    const { crowd, fill, send, counts } = await world();
    await fill(crowd('a').view);
    await send('a', 2 * policy.trialBatches, other);
    expect(counts.labels('dictionaryTrialsTotal')).toEqual(['first']);
  });

  test('is better or not by what many batches say, unless it is the first', () => {
    const data = new Uint8Array(policy.trialBatches);
    const [first, later] = [true, false].map((isFirst) => new DictionaryTrial(data, policy, isFirst));
    first!.add(300, 100, 101);
    expect(first!.isWorthIt).toBeUndefined();
    first!.add(300, 100, 90);
    expect([first!.isWorthIt, first!.ratio]).toEqual([true, 191 / 600]);
    for (let i = 1; i < policy.trialRuns; i++) later!.add(300, 100, 90);
    expect(later!.isWorthIt).toBeUndefined();
    // Its own length is saved by a byte a batch: not any more.
    later!.add(300, 100, 90 + 9 * policy.trialRuns + 1);
    expect(later!.isWorthIt).toBe(false);
  });
});
