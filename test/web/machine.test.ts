import { describe, expect, it } from 'vitest';
import { Machine } from '../../src/web/machine.ts';
import { panels } from '../../src/web/panels.ts';

const update = (offset: number, value: unknown, over: object = {}) => ({
  type: 'monitoring_update',
  offset,
  timestampMs: offset * 1_000,
  data: { monitoring_type: 'cpu', value, level: 'ok', ...over },
});
const change = (offset: number, from: string | null, to: string) => ({
  type: 'status_change',
  offset,
  timestampMs: offset * 1_000,
  data: { monitoring_type: 'cpu', from, to, value: 97, unit: '%' },
});

describe('Machine', () => {
  it('shows the newest reading, also when an older one comes after it', () => {
    const machine = new Machine();
    machine.take(update(5, 50));
    machine.take(update(3, 30));
    expect(machine.latest('cpu')?.value).toBe(50);
    expect(machine.series('cpu').data()).toEqual([
      [3, 5],
      [30, 50],
    ]);
  });

  it('ignores what it does not understand', () => {
    const machine = new Machine();
    for (const data of [null, 7, [], { monitoring_type: 'cpu' }, { monitoring_type: 'gpu', value: 1 }]) {
      machine.take({ type: 'monitoring_update', offset: 1, timestampMs: 1, data });
    }
    machine.take(update(2, 'high'));
    machine.take({ ...update(3, 1), type: 'other' });
    expect(machine.latest('cpu')).toBeUndefined();
  });

  it('lists changes once each, the newest first', () => {
    const machine = new Machine();
    machine.take(change(2, 'ok', 'warning'));
    machine.take(change(1, null, 'ok'));
    machine.take(change(2, 'ok', 'warning'));
    expect(machine.changes.map(({ offset, from, to }) => [offset, from, to])).toEqual([
      [2, 'ok', 'warning'],
      [1, undefined, 'ok'],
    ]);
  });
});

describe('panels', () => {
  const reading = (value: number, details: object) =>
    ({ type: 'disk', timestampMs: 0, value, level: 'ok', details: { ...details } }) as const;

  it('name the fullest file system', () => {
    const filesystems = [
      { mount: '/boot', used_bytes: 1e8, total_bytes: 1e9, used_percent: 10 },
      { mount: '/data', used_bytes: 9e11, total_bytes: 1e12, used_percent: 90 },
    ];
    expect(panels.disk.detail(reading(90, { filesystems }))).toBe('900 GB of 1.0 TB on /data');
  });

  it('are complete with a value alone', () => {
    for (const panel of Object.values(panels)) {
      expect(panel.detail(reading(12, {}))).toBe('');
      expect(panel.headline(reading(12, {})).value).not.toBe('');
    }
  });

  it('show the load as it is, and its share of the cores beside it', () => {
    const load = reading(150, { load1: 3, load5: 1, cores: 2 });
    expect(panels.load.headline(load)).toEqual({ value: '3.00', unit: '' });
    expect(panels.load.detail(load)).toBe('150 % of 2 cores');
  });
});
