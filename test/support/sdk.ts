import { WebSocket } from 'ws';
import { type ClientOptions, SluiceClient, type SubscriptionState } from '../../src/client/index.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { ofFile, ofTest, opened } from './opened.ts';

/** A gateway that is closed with the test, after what the test opened later. */
export function gatewayOfTest(...options: Parameters<typeof startGateway>): Promise<TestGateway> {
  return opened(startGateway(...options));
}

/** A gateway for all tests of a file, as `ofFile` says. */
export function gatewayOfFile(...options: Parameters<typeof startGateway>): TestGateway {
  return ofFile(() => startGateway(...options));
}

/** The SDK on the package `ws`, closed with the test. It reconnects soon, and its errors are the test's to look for. */
export function clientOfTest(url: string, options: ClientOptions = {}): SluiceClient {
  const client = ofTest(new SluiceClient(url, { WebSocket, reconnect: { delaysMs: [50] }, ...options }));
  client.onError(() => undefined);
  return client;
}

/** Resolves when the subscription is in a state. */
export function state(
  subscription: {
    readonly state: SubscriptionState;
    on(event: 'state', listener: (state: SubscriptionState) => void): unknown;
  },
  wanted: SubscriptionState,
): Promise<void> {
  if (subscription.state === wanted) return Promise.resolve();
  return new Promise((resolve) => subscription.on('state', (now) => now === wanted && resolve()));
}
