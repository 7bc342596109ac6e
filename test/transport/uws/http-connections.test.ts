import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { describe, expect, test } from 'vitest';
import { HttpConnections } from '../../../src/transport/uws/http-connections.ts';
import { RecordedMetrics } from '../../support/metrics.ts';

interface Limits {
  max: number;
  filesFree: number;
  isDraining?: boolean;
}

function makeConnections(limits: Limits, watch: 'watch' | 'watchApart' = 'watch', admits = () => true) {
  const counts = new RecordedMetrics();
  const refused: string[] = [];
  type Change = (response: HttpResponse, by: number) => void;
  let change: Change = () => undefined;
  const app = { filter: (told: Change) => (change = told) } as unknown as TemplatedApp;
  let changeApart: Change = () => undefined;
  const appApart = { filter: (told: Change) => (changeApart = told) } as unknown as TemplatedApp;
  const options = {
    max: limits.max,
    filesFree: () => limits.filesFree,
    isDraining: () => limits.isDraining === true,
    admits,
    refused: (code: string) => refused.push(code),
  };
  const connections = new HttpConnections({ ...options, metrics: counts.metrics });
  connections[watch](app);
  connections.watchApart(appApart);
  /** Whether it stays open. */
  const opened = (changed: Change) => {
    let isOpen = true;
    const response = {
      close: () => (isOpen = false),
      getRemoteAddress: () => new ArrayBuffer(0),
      getRemoteAddressAsText: () => new ArrayBuffer(0),
    } as unknown as HttpResponse;
    changed(response, 1);
    if (!isOpen) changed(response, -1);
    return isOpen;
  };
  const open = () => opened(change);
  const openApart = () => opened(changeApart);
  return { open, openApart, counts, refused, connections };
}

describe('connections that speak HTTP', () => {
  test('of an admin port take files as the others do, and eight of them get in where there is none', () => {
    const { open, openApart, counts } = makeConnections({ max: 100, filesFree: 20 });
    const times = (one: () => boolean, count: number) =>
      Array.from({ length: count }, one).filter(Boolean).length;
    expect([times(openApart, 5), times(open, 100), times(openApart, 100)]).toEqual([5, 15, 3]);
    expect(counts.of('connectionsRejectedTotal', 'too_many_connections')).toBe(85 + 97);
  });

  test('of an admin port are no more than there are files', () => {
    const { open, openApart } = makeConnections({ max: 100, filesFree: 20 });
    expect(Array.from({ length: 30 }, openApart).filter(Boolean)).toHaveLength(20);
    expect(open()).toBe(false);
  });

  test.each([
    ['the option says', { max: 3, filesFree: 100 }],
    ['there are files for', { max: 100, filesFree: 3 }],
  ])('are as many as %s, and one more is closed and counted', (_, limits) => {
    const { open, counts } = makeConnections(limits);
    expect([open(), open(), open()]).toEqual([true, true, true]);
    expect(counts.of('connectionsRejectedTotal')).toBe(0);
    expect([open(), open()]).toEqual([false, false]);
    expect(counts.of('connectionsRejectedTotal', 'too_many_connections')).toBe(2);
  });

  test('end with their responses when more than half of them are taken, or the gateway drains', () => {
    const limits: Limits = { max: 4, filesFree: 100 };
    const { open, connections } = makeConnections(limits);
    const ending = [0, 1, 2, 3].map(() => {
      open();
      return connections.areEnding;
    });
    expect(ending).toEqual([false, false, true, true]);
    const draining: Limits = { max: 100, filesFree: 100, isDraining: false };
    const { connections: few } = makeConnections(draining);
    expect(few.areEnding).toBe(false);
    draining.isDraining = true;
    expect(few.areEnding).toBe(true);
  });

  test('make room for WebSockets, which take a file, too', () => {
    const limits = { max: 100, filesFree: 3 };
    const { open } = makeConnections(limits);
    open();
    limits.filesFree = 1;
    expect(open()).toBe(false);
    limits.filesFree = 2;
    expect(open()).toBe(true);
  });

  test('are closed and counted when their address opens too many', () => {
    let left = 1;
    const { open, counts, refused } = makeConnections(
      { max: 100, filesFree: 100 },
      'watch',
      () => left-- > 0,
    );
    expect([open(), open()]).toEqual([true, false]);
    expect(counts.of('connectionsRejectedTotal', 'rate_limited')).toBe(1);
    expect(refused).toEqual(['rate_limited']);
  });

  test('have no rate while the gateway drains, because it ends them with their responses', () => {
    const limits: Limits = { max: 3, filesFree: 100, isDraining: true };
    const { open, counts } = makeConnections(limits, 'watch', () => false);
    expect([open(), open(), open(), open()]).toEqual([true, true, true, false]);
    expect(counts.of('connectionsRejectedTotal', 'rate_limited')).toBe(0);
  });

  test('have as many places again on the port for operators, and no rate there', () => {
    const limits = { max: 2, filesFree: 0 };
    const { open, counts } = makeConnections(limits, 'watchApart', () => false);
    expect([open(), open(), open(), open()]).toEqual([true, true, false, false]);
    expect(counts.of('connectionsRejectedTotal', 'too_many_connections')).toBe(2);
  });
});
