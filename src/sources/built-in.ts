import { hostToReach } from '../config/reach.ts';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Canary } from './canary.ts';
import { HostSource } from './host.ts';
import type { Source, SourcePublish } from './source.ts';

export interface SourceDeps {
  readonly config: Pick<Config, 'sourceHost' | 'sourceHostIntervalMs' | 'canary' | 'host' | 'tlsCertFile'>;
  /** Where the gateway listens. */
  readonly port: number;
  readonly publish: SourcePublish;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Headers that let the canary subscribe to its topic. */
  readonly canaryHeaders: Readonly<Record<string, string>>;
}

const canaryIntervalMs = 1000;

/** The sources that the configuration asks for. A new one is a file of this folder and a line here. */
export function builtInSources({ config, port, publish, metrics, log, canaryHeaders }: SourceDeps): Source[] {
  const sources: Source[] = [];
  if (config.sourceHost) {
    sources.push(new HostSource({ intervalMs: config.sourceHostIntervalMs, publish, log, metrics }));
  }
  if (config.canary) {
    const scheme = config.tlsCertFile === '' ? 'ws' : 'wss';
    const url = `${scheme}://${hostToReach(config.host)}:${port}/ws`;
    sources.push(
      new Canary({ url, headers: canaryHeaders, intervalMs: canaryIntervalMs, publish, log, metrics }),
    );
  }
  return sources;
}
