import type { OptionName } from '../config.ts';
import { applicationLimits } from './limits/application.ts';
import { connectionLimits } from './limits/connections.ts';
import type { Limit } from './limits/limit.ts';
import { publishingLimits } from './limits/publishing.ts';
import { requestLimits } from './limits/requests.ts';
import { sessionLimits } from './limits/sessions.ts';

export interface LimitGroup {
  readonly title: string;
  readonly limits: readonly Limit[];
}

/** Options with a number that limit nothing that a client can take. */
export const noLimits: readonly OptionName[] = [
  ...(['port', 'proxyPort', 'adminPort', 'compatPort', 'workers'] as const),
  ...(['tokenClockToleranceSeconds', 'drainSeconds', 'shutdownGraceSeconds', 'readyLoopDelayMaxMs'] as const),
  ...(['redisMinReplicas', 'redisTimeoutMs', 'redisNodeTimeoutMs', 'sourceHostIntervalMs'] as const),
  ...(['batchMaxDelayMs', 'compressMinBytes', 'dictionaryMinBytes'] as const),
];

/** Every limit. test/docs.test.ts holds its names to the options, codes, metrics and tests that there are. */
export const limitGroups: readonly LimitGroup[] = [
  { title: 'Connections', limits: connectionLimits },
  { title: 'Requests over HTTP', limits: requestLimits },
  { title: 'Sessions', limits: sessionLimits },
  { title: 'Publications, and what is kept', limits: publishingLimits },
  { title: 'The application and the issuer of tokens', limits: applicationLimits },
];
