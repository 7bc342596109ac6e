import { expect } from 'vitest';
import type { TestGateway } from './gateway.ts';
import { JsonClient } from './json-client.ts';
import { upTo } from './numbers.ts';

const topic = 'witness';

/** A well-behaved subscriber: it shows that the gateway goes on, whatever other clients do. */
export class Witness {
  readonly client: JsonClient;
  readonly #gateway: TestGateway;
  #published = 0;

  private constructor(gateway: TestGateway, client: JsonClient) {
    this.#gateway = gateway;
    this.client = client;
  }

  static async open(gateway: TestGateway): Promise<Witness> {
    const client = await JsonClient.open(gateway.wsUrl);
    await client.call({ type: 'subscribe', topic });
    return new Witness(gateway, client);
  }

  /** Publishes once more, over HTTP, and asserts that it has received every publication so far, once and in order. */
  async missedNothing(): Promise<void> {
    const wanted = ++this.#published;
    await this.#gateway.publish({ topic, type: 'seen', data: { wanted } });
    const got = await this.client.count(topic, wanted);
    expect(got.map((publication) => publication['offset'])).toEqual(upTo(wanted));
    expect(got.at(-1)?.['data']).toEqual({ wanted });
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
