import { expect, test } from 'vitest';
import type { Transport } from '../../src/client/index.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { opened } from '../support/opened.ts';
import { clientOfTest, gatewayOfFile } from '../support/sdk.ts';

const gateway = gatewayOfFile({
  topicHistoryMaxPublications: 10_000,
  commandsPerSecond: 100,
  httpRequestsPerSecondPerIp: 20,
  handshakesPerSecondPerIp: 10_000,
});

const transports: readonly Transport[] = ['websocket', 'sse', 'poll'];

// A burst is over the rate at once, and each round trip takes longer than the gateway needs for another token.
test.each(transports.flatMap((transport) => [0, 4].map((cuts) => ({ transport, cuts }))))(
  'publications of a client are stored in the order of the calls: $transport, $cuts cuts',
  async ({ transport, cuts }) => {
    const proxy = await opened(CuttingProxy.open(gateway.wsUrl, 40));
    const client = clientOfTest(proxy.wsUrl, { transports: [transport] });
    const witness = clientOfTest(gateway.wsUrl);
    await Promise.all([client.connect(), witness.connect()]);
    const topics = ['a', 'b'].map((name) => `${transport}-${cuts}:${name}`);
    const published = Array.from({ length: 400 }, (_, n) =>
      client.publish(topics[n % 2] as string, 'update', n, { exceptSelf: n % 3 === 0 }),
    );
    const stop = new AbortController();
    const cutting = (async () => {
      while (proxy.cuts < cuts && !stop.signal.aborted) await proxy.cutAfter(1_500);
    })();
    const positions = await Promise.all(published);
    stop.abort();
    void cutting;
    for (const [index, topic] of topics.entries()) {
      const { publications } = await witness.history<number>(topic, { limit: 1000 });
      const expected = Array.from({ length: 200 }, (_, n) => 2 * n + index);
      expect(publications.map(({ data }) => data)).toEqual(expected);
      expect(expected.map((n) => positions[n]?.offset)).toEqual(publications.map(({ offset }) => offset));
    }
  },
);
