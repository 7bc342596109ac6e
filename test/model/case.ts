import type { GatewayOptions } from './gateway.ts';
import type { Fields } from './published.ts';
import type { Spec } from './subscription.ts';

/** What fixed cases are made of. */

export const roomy: GatewayOptions = {
  topicHistoryMaxPublications: 200,
  topicHistoryMaxAgeMs: 60_000,
  topicHistoryMaxBytes: 1_000_000,
  historyMaxBytes: 1_000_000,
  batchMaxDelayMs: 0,
  batchMaxBytes: 65_536,
  batchMaxPublications: 10_000,
  refreshMs: 0,
  refreshesChanged: false,
  backpressureMaxBytes: 100_000,
  kernelBytes: 100_000,
  isSlowEngine: false,
  numberingsMax: 1000,
  turnBudgetMs: 5,
  compresses: false,
};
export const tight: GatewayOptions = {
  ...roomy,
  topicHistoryMaxPublications: 4,
  batchMaxBytes: 200,
  backpressureMaxBytes: 800,
  kernelBytes: 100,
};
export const to = (topic: string, more: Partial<Fields> = {}): Fields => ({ topic, size: 0, ...more });
export const many = (count: number, fields: Fields): Fields[] => new Array(count).fill(fields);
export const of = (target: string, more: Partial<Spec> = {}): Spec => ({
  target,
  filter: undefined,
  conflate: false,
  intervalMs: 0,
  ...more,
});
