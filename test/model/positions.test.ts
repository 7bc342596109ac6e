import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, Positions } from './positions.ts';

const at = (offset: number) => ({ epoch: 'e1', offset });

describe('judge', () => {
  it('accepts a batch that follows', () => {
    expect(judge(at(5), { after: 5, upto: 8 })).toEqual({ kind: 'accept', from: 5, position: at(8) });
  });

  it('accepts a batch that overlaps, from where it is new', () => {
    expect(judge(at(5), { after: 2, upto: 8 })).toEqual({ kind: 'accept', from: 5, position: at(8) });
  });

  it('skips a batch that brings nothing new', () => {
    expect(judge(at(5), { after: 2, upto: 5 })).toEqual({ kind: 'skip' });
    expect(judge(at(5), { after: 5, upto: 5 })).toEqual({ kind: 'skip' });
  });

  it('names the hole before a batch that begins too late', () => {
    expect(judge(at(5), { after: 7, upto: 8 })).toEqual({ kind: 'gap', missing: { after: 5, upto: 7 } });
  });

  it('does not compare offsets of different epochs', () => {
    expect(judge(at(5), { epoch: 'e2', after: 5, upto: 8 })).toEqual({ kind: 'epoch', epoch: 'e2' });
    expect(judge(at(5), { epoch: 'e1', after: 5, upto: 8 }).kind).toBe('accept');
  });

  it('never goes back, never skips over, and sees each offset once, whatever arrives', () => {
    const batches = fc.array(fc.record({ after: fc.nat(30), size: fc.nat(6) }));
    fc.assert(
      fc.property(batches, (arriving) => {
        const seen: number[] = [];
        let position = at(0);
        for (const { after, size } of arriving) {
          const upto = after + size;
          const verdict = judge(position, { after, upto });
          if (verdict.kind !== 'accept') continue;
          for (let offset = after + 1; offset <= upto; offset++) if (offset > verdict.from) seen.push(offset);
          expect(verdict.position.offset).toBeGreaterThan(position.offset);
          position = at(verdict.position.offset);
        }
        expect(seen).toEqual(Array.from({ length: position.offset }, (_, index) => index + 1));
      }),
    );
  });
});

describe('Positions', () => {
  it('keeps one per topic', () => {
    const positions = new Positions();
    positions.set('a', at(1));
    positions.set('b', { epoch: 'e2', offset: 2 });
    positions.set('a', at(3));
    expect(positions.list()).toEqual([
      { topic: 'a', epoch: 'e1', offset: 3 },
      { topic: 'b', epoch: 'e2', offset: 2 },
    ]);
    positions.delete('a');
    expect(positions.get('a')).toBeUndefined();
  });
});
