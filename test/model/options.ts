import fc from 'fast-check';
import type { GatewayOptions } from './gateway.ts';

/** Those of a random gateway. */
export const options: fc.Arbitrary<GatewayOptions> = fc.record({
  topicHistoryMaxPublications: fc.constantFrom(4, 12, 200),
  // Also less than the interval of a subscription.
  topicHistoryMaxAgeMs: fc.constantFrom(60_000, 60_000, 300),
  topicHistoryMaxBytes: fc.constantFrom(2000, 1_000_000),
  historyMaxBytes: fc.constantFrom(4000, 1_000_000),
  batchMaxDelayMs: fc.constantFrom(0, 5, 50),
  batchMaxBytes: fc.constantFrom(200, 65_536),
  batchMaxPublications: fc.constantFrom(1, 3, 10_000),
  refreshMs: fc.constantFrom(0, 1000, 5000),
  refreshesChanged: fc.boolean(),
  backpressureMaxBytes: fc.constantFrom(800, 3000, 100_000),
  kernelBytes: fc.constantFrom(100, 1000, 100_000),
  isSlowEngine: fc.boolean(),
  numberingsMax: fc.constantFrom(0, 2, 1000),
  turnBudgetMs: fc.constantFrom(0, 5),
  compresses: fc.constant(false),
});

/** Those of one with tokens and an inbox, which clients without the SDK do not expect. */
export const sdkOptions: fc.Arbitrary<GatewayOptions> = fc
  .tuple(
    options,
    fc.record({
      hasInbox: fc.boolean(),
      tokensMs: fc.constantFrom(undefined, 4000),
      commandsPerSecond: fc.constantFrom(undefined, undefined, 20),
    }),
  )
  .map(([one, more]) => ({ ...one, ...more }));
