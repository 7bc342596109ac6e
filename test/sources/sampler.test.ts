import { beforeAll, describe, expect, test } from 'vitest';
import {
  type MonitoringType,
  machineSampler,
  monitoringTypes,
  type Sample,
} from '../../src/sources/sampler.ts';

describe('the sampler of this machine', () => {
  const samples = {} as Record<MonitoringType, Sample>;

  beforeAll(async () => {
    const sampler = machineSampler();
    // Rates need a look before.
    await Promise.all(monitoringTypes.map((type) => sampler[type]()));
    for (const type of monitoringTypes) samples[type] = await sampler[type]();
  });

  test('samples everything, in numbers that JSON can hold', () => {
    for (const type of monitoringTypes) {
      expect(samples[type].value, type).toBeGreaterThanOrEqual(0);
      expect(JSON.parse(JSON.stringify(samples[type])), type).toEqual(samples[type]);
      expect(JSON.stringify(samples[type]), type).not.toContain('null');
    }
  });

  test.each(['cpu', 'memory', 'disk'] as const)('gives %s as a percentage', (type) => {
    expect(samples[type].unit).toBe('%');
    expect(samples[type].value).toBeLessThanOrEqual(100);
  });

  test('counts cores and the load on them', () => {
    const { cores } = samples.cpu.details as { cores: number[] };
    expect(cores.length).toBeGreaterThan(0);
    expect(cores.every((core) => core >= 0 && core <= 100)).toBe(true);
    expect(samples.load.details).toMatchObject({ load1: expect.any(Number), cores: expect.any(Number) });
  });

  test('sums memory up', () => {
    const memory = samples.memory.details as {
      total_bytes: number;
      used_bytes: number;
      available_bytes: number;
    };
    expect(memory.total_bytes).toBeGreaterThan(16 * 2 ** 20);
    expect(memory.used_bytes + memory.available_bytes).toBe(memory.total_bytes);
  });

  test('gives rates that are not negative', () => {
    expect(samples.network.unit).toBe('bytes/s');
    for (const type of ['network', 'disk'] as const) {
      const rates = Object.entries(samples[type].details).filter(([name]) => name.endsWith('_per_second'));
      expect(rates).toHaveLength(2);
      for (const [name, value] of rates) expect(value, name).toBeGreaterThanOrEqual(0);
    }
  });
});
