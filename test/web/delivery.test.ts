import { describe, expect, it } from 'vitest';
import { DeliveryMeter } from '../../src/web/delivery.ts';
import { bytes, milliseconds, plain } from '../../src/web/format.ts';

describe('DeliveryMeter', () => {
  it('counts messages a second over the last ten', () => {
    const meter = new DeliveryMeter(0);
    for (let ms = 0; ms < 20_000; ms += 200) meter.arrived(ms, 1);
    expect(meter.perSecond(20_000)).toBe(5);
  });

  it('does not count the time before it began', () => {
    const meter = new DeliveryMeter(0);
    meter.arrived(1_000, 1);
    meter.arrived(1_500, 1);
    expect(meter.perSecond(2_000)).toBe(1);
  });

  it('computes the median and the 95th percentile', () => {
    const meter = new DeliveryMeter(0);
    expect(meter.latency()).toBeUndefined();
    for (let age = 1; age <= 100; age++) meter.arrived(0, age);
    expect(meter.latency()).toEqual({ medianMs: 51, p95Ms: 96 });
  });

  it('forgets its samples on a restart', () => {
    const meter = new DeliveryMeter(0);
    meter.arrived(10, 1);
    meter.restart(1_000);
    expect(meter.latency()).toBeUndefined();
    expect(meter.perSecond(2_000)).toBe(0);
  });
});

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [999_950, '1.0 MB'],
    [25_300_000_000, '25.3 GB'],
    [271_000_000_000, '271 GB'],
  ])('%i bytes as %s', (count, text) => {
    expect(plain(bytes(count))).toBe(text);
  });

  it('shows tenths of milliseconds only where they matter', () => {
    expect([0.42, 9.96, 43.2, 12_345].map((ms) => plain(milliseconds(ms)))).toEqual([
      '0.4 ms',
      '10.0 ms',
      '43 ms',
      '12.3 s',
    ]);
  });
});
