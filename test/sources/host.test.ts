import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/metrics.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { HostSource, type HostSourceOptions, serverIdOf } from '../../src/sources/host.ts';
import {
  type MonitoringType,
  monitoringTypes,
  type Sample,
  type Sampler,
} from '../../src/sources/sampler.ts';
import { topicProblem } from '../../src/topics/topic-name.ts';

/** Lets everything happen that waits for nothing but promises. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const dataOf = (fields: PublishFields | undefined) =>
  JSON.parse(Buffer.from(fields?.payload.bytes ?? []).toString()) as Record<string, unknown>;

/** A source whose machine, clock and gateway are played by the test. */
function play(options: Partial<HostSourceOptions> = {}) {
  const values: Record<MonitoringType, number> = { cpu: 1, memory: 2, load: 3, disk: 4, network: 5 };
  const calls: MonitoringType[] = [];
  const sample = (type: MonitoringType) => async (): Promise<Sample> => {
    calls.push(type);
    return { value: values[type], unit: '%', details: { detail: type } };
  };
  const sampler = Object.fromEntries(monitoringTypes.map((type) => [type, sample(type)])) as Sampler;
  const published: (readonly PublishFields[])[] = [];
  const errors: string[] = [];
  const metrics = createMetrics({ processMetrics: false });
  let tick: (() => void) | undefined;
  const source = new HostSource({
    intervalMs: 1000,
    serverId: 'web-01',
    publish: async (fields) => published.push(fields),
    log: { error: (_: unknown, message?: string) => errors.push(message ?? '') } as HostSourceOptions['log'],
    metrics,
    clock: {
      now: () => 1234,
      every: (intervalMs, callback) => {
        expect(intervalMs).toBe(1000);
        tick = callback;
        return () => {
          tick = undefined;
        };
      },
    },
    sampler: options.sampler ?? sampler,
    ...options,
  });
  return {
    source,
    values,
    calls,
    sampler,
    published,
    errors,
    isTicking: () => tick !== undefined,
    failures: async () =>
      /source_errors_total\{source="host"\} (\d+)/.exec(await metrics.registry.metrics())?.[1],
    async next() {
      tick?.();
      await settled();
    },
  };
}

describe('the host source', () => {
  test('publishes a sample and the status of each kind at once when it starts', async () => {
    const world = play();
    world.source.start();
    await settled();
    expect(world.published).toHaveLength(1);
    const keys = world.published[0]?.map(({ key }) => key);
    expect(keys?.sort()).toEqual(
      [...monitoringTypes, ...monitoringTypes.map((type) => `status:${type}`)].sort(),
    );
    const cpu = world.published[0]?.find(({ key }) => key === 'cpu');
    expect(cpu).toMatchObject({
      topic: 'server:web-01',
      type: 'monitoring_update',
      tags: { server_id: 'web-01', monitoring_type: 'cpu', level: 'ok' },
      timestampMs: 1234,
      payload: { format: 'json' },
    });
    expect(dataOf(cpu)).toEqual({
      server_id: 'web-01',
      monitoring_type: 'cpu',
      value: 1,
      unit: '%',
      level: 'ok',
      detail: 'cpu',
    });
    expect(dataOf(world.published[0]?.find(({ key }) => key === 'status:cpu'))).toEqual({
      server_id: 'web-01',
      monitoring_type: 'cpu',
      from: null,
      to: 'ok',
      value: 1,
      unit: '%',
    });
  });

  test('publishes the next samples alone while no level changes', async () => {
    const world = play();
    world.source.start();
    await settled();
    await world.next();
    expect(world.published[1]?.map(({ key }) => key).sort()).toEqual([...monitoringTypes].sort());
  });

  test('tells a change of level together with the sample that made it, and its threshold', async () => {
    const world = play();
    world.source.start();
    await settled();
    const changes = async (value: number) => {
      world.values.cpu = value;
      await world.next();
      return world.published
        .at(-1)
        ?.filter(({ type }) => type === 'status_change')
        .map(dataOf);
    };
    expect(await changes(81)).toMatchObject([{ from: 'ok', to: 'warning', value: 81, threshold: 80 }]);
    expect(await changes(77)).toEqual([]);
    expect(await changes(99)).toMatchObject([{ from: 'warning', to: 'critical', value: 99, threshold: 95 }]);
    expect(await changes(80)).toMatchObject([{ from: 'critical', to: 'warning', threshold: 95 }]);
    expect(await changes(10)).toMatchObject([{ from: 'warning', to: 'ok', threshold: 80 }]);
    expect(world.published.at(-1)?.find(({ key }) => key === 'status:cpu')?.tags).toMatchObject({
      level: 'ok',
    });
  });

  test('has no threshold for traffic', async () => {
    const world = play();
    world.values.network = 1e12;
    world.source.start();
    await settled();
    expect(world.published[0]?.find(({ key }) => key === 'network')?.tags).toMatchObject({ level: 'ok' });
  });

  test('goes on with the others when a sampler fails, and says so', async () => {
    const healthy = play();
    const disk = () => Promise.reject(new Error('df is gone'));
    const world = play({ sampler: { ...healthy.sampler, disk } });
    world.source.start();
    await settled();
    expect(world.published[0]?.map(({ key }) => key)).toContain('network');
    expect(world.published[0]?.map(({ key }) => key)).not.toContain('disk');
    expect(world.errors).toEqual(['cannot sample disk']);
    expect(await world.failures()).toBe('1');
  });

  test('waits one interval at most for a sampler that hangs, and never runs it twice at a time', async () => {
    const healthy = play();
    let started = 0;
    let answer: ((sample: Sample) => void) | undefined;
    const disk = () => {
      started++;
      return new Promise<Sample>((resolve) => {
        answer = resolve;
      });
    };
    const world = play({ sampler: { ...healthy.sampler, disk } });
    world.source.start();
    await settled();
    expect(world.published).toEqual([]);
    await world.next();
    expect(world.published).toHaveLength(1);
    await world.next();
    expect(world.published).toHaveLength(2);
    expect(started).toBe(1);
    answer?.({ value: 1, unit: '%', details: {} });
    await settled();
    expect(world.published.at(-1)?.map(({ key }) => key)).toContain('disk');
    await world.next();
    expect(started).toBe(2);
  });

  test('keeps the newest of each key when the gateway did not accept it', async () => {
    let isDown = true;
    const taken: (readonly PublishFields[])[] = [];
    const world = play({
      publish: async (fields) => {
        if (isDown) throw new Error('engine_unavailable');
        taken.push(fields);
      },
    });
    world.source.start();
    await settled();
    expect(await world.failures()).toBe('1');
    isDown = false;
    world.values.cpu = 7;
    await world.next();
    const all = taken.flat();
    expect(all.filter(({ key }) => key === 'status:cpu')).toHaveLength(1);
    expect(dataOf(all.findLast(({ key }) => key === 'cpu'))).toMatchObject({ value: 7 });
  });

  test('never publishes twice at a time', async () => {
    let open = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const world = play({
      publish: async () => {
        most = Math.max(most, ++open);
        await new Promise<void>((resolve) => waiting.push(resolve));
        open--;
      },
    });
    world.source.start();
    await settled();
    await world.next();
    await world.next();
    expect([most, waiting.length]).toEqual([1, 1]);
    waiting.shift()?.();
    await settled();
    await world.next();
    expect([most, waiting.length]).toEqual([1, 1]);
  });

  test('stops: no tick, and nothing published by what was still on its way', async () => {
    const world = play();
    world.source.start();
    const stopped = world.source.stop();
    await stopped;
    await settled();
    expect(world.isTicking()).toBe(false);
    expect(world.published).toEqual([]);
  });
});

describe('serverIdOf', () => {
  test.each([
    ['web-01.example.org', 'web-01.example.org'],
    ['Jürgens Mac', 'J-rgens-Mac'],
    ['a/b:c', 'a-b-c'],
    ['..', 'localhost'],
    ['', 'localhost'],
    ['x'.repeat(300), 'x'.repeat(100)],
  ])('makes of %j a name that fits into a topic', (name, id) => {
    expect(serverIdOf(name)).toBe(id);
    expect(topicProblem(`server:${id}`)).toBeUndefined();
  });
});
