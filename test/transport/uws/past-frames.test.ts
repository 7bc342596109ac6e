import { describe, expect, it } from 'vitest';
import { PastFrames } from '../../../src/transport/uws/past-frames.ts';

const [mine, others] = [1, 2];
const hearsMine = (view: number) => view === mine;
/** More than all frames of a test together. */
const plenty = 1_000_000_000;

/** So many frames of a view, of 100 bytes and 1 publication each. */
function add(past: PastFrames, view: number, frames: number): void {
  for (let i = 0; i < frames; i++) past.add(view, 100, 1);
}

describe('frames that were published', () => {
  it.each([
    [4095, 7],
    [4096, 0],
    [4097, 0],
  ])('are known among the last 4096: after a session’s last one came %i', (later, expected) => {
    const past = new PastFrames();
    past.add(mine, 100, 7);
    add(past, others, later);
    expect(past.count).toBe(later + 1);
    expect(past.publicationsIn(plenty, past.count, hearsMine)).toBe(expected);
  });

  it('count as far back as they are known, however much is unsent', () => {
    const past = new PastFrames();
    add(past, mine, 10_000);
    expect(past.publicationsIn(plenty, past.count, hearsMine)).toBe(4096);
  });

  it('count up to where the session left off', () => {
    const past = new PastFrames();
    add(past, mine, 10);
    expect(past.publicationsIn(plenty, 4, hearsMine)).toBe(4);
    expect(past.publicationsIn(plenty, 0, hearsMine)).toBe(0);
  });

  it('say nothing of a session that left off before the oldest that is known', () => {
    const past = new PastFrames();
    add(past, mine, 5000);
    const oldest = 5000 - 4096;
    expect(past.publicationsIn(plenty, oldest - 1, hearsMine)).toBe(0);
    expect(past.publicationsIn(plenty, oldest, hearsMine)).toBe(0);
    expect(past.publicationsIn(plenty, oldest + 1, hearsMine)).toBe(1);
  });

  it('take no room where the session does not hear them', () => {
    const past = new PastFrames();
    past.add(mine, 100, 3);
    past.add(others, 100, 5);
    past.add(mine, 100, 7);
    expect(past.publicationsIn(2 * 102, past.count, hearsMine)).toBe(10);
    expect(past.publicationsIn(plenty, past.count, () => false)).toBe(0);
  });

  it('count also where only their end is unsent', () => {
    const past = new PastFrames();
    past.add(mine, 100, 3);
    past.add(mine, 100, 7);
    const unsent = (bytes: number) => past.publicationsIn(bytes, past.count, hearsMine);
    expect([0, 1, 102, 103, 204, 205].map(unsent)).toEqual([0, 7, 7, 10, 10, 10]);
  });

  it.each([
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ])('of %i bytes have a header of %i', (bytes, header) => {
    const past = new PastFrames();
    past.add(mine, 100, 3);
    past.add(mine, bytes, 7);
    const unsent = (count: number) => past.publicationsIn(count, past.count, hearsMine);
    expect([unsent(bytes + header), unsent(bytes + header + 1)]).toEqual([7, 10]);
  });
});
