import { movedNamespaces, type SystemName, systemNamespaces } from '../config/options/compat.ts';
import type { Config } from '../config.ts';
import { jobProgress } from './job-progress.ts';
import { marketData } from './market-data.ts';
import { notifications } from './notifications.ts';
import { serverMonitoring } from './server-monitoring.ts';
import { webAdministration } from './web-administration.ts';
import type { Wire, WireOptions } from './wire.ts';

export type { SystemName };

interface SystemRow {
  readonly title: string;
  /**
   * The paths of its WebSockets. `{server}`: the topic of that server is subscribed to at once; `{user}`: only for that
   * user.
   */
  readonly paths: readonly string[];
  readonly wire: (options: WireOptions) => Wire;
  /** All its connections get the topic `compat:NAME`. */
  readonly hasBroadcasts: boolean;
}

/** The systems that Sluice replaces. The messages of each are described in the file of its wire. */
const systemTable: Readonly<Record<SystemName, SystemRow>> = {
  a: {
    title: 'server monitoring',
    paths: ['/api/v1/websocket/ws', '/api/v1/websocket/ws/monitoring/{server}'],
    wire: serverMonitoring,
    hasBroadcasts: true,
  },
  b: {
    title: 'market data',
    paths: ['/market/ws'],
    wire: marketData,
    hasBroadcasts: true,
  },
  c: {
    title: 'web administration',
    paths: ['/api/ws/realtime'],
    wire: webAdministration,
    hasBroadcasts: false,
  },
  d: {
    title: 'notifications of a knowledge platform',
    paths: ['/api/v1/ws/{user}'],
    wire: notifications,
    hasBroadcasts: true,
  },
  e: { title: 'job progress', paths: ['/'], wire: jobProgress, hasBroadcasts: false },
};

/** A system that a gateway serves. */
export interface System extends SystemRow {
  readonly name: SystemName;
  readonly namespace: string;
}

/** Those of the options `compat` and `compatNamespaces`. */
export function systemsOf({
  compat,
  compatNamespaces,
}: Pick<Config, 'compat' | 'compatNamespaces'>): readonly System[] {
  const moved = movedNamespaces(compatNamespaces);
  return [...new Set(compat)].map((name) => ({
    ...systemTable[name],
    name,
    namespace: moved.get(name) ?? systemNamespaces[name],
  }));
}

/** The topic that all connections of this system get. */
export function broadcastTopicOf(name: SystemName): string {
  return `compat:${name}`;
}

export function codecNameOf(name: SystemName): string {
  return `compat-${name}`;
}
