import { OldClient } from './old-client.ts';

/** System B: a trading bot's feed of prices. */
export class MarketFeed extends OldClient {
  readonly prices: number[] = [];
  readonly lost: string[] = [];

  static async open(url: string, token: string): Promise<MarketFeed> {
    const feed = await new MarketFeed(`${url}?token=${token}`).opened();
    feed.socket.on('message', (text) => {
      const { type, data, message } = JSON.parse(text.toString());
      if (type === 'tick') feed.prices.push(data.price);
      else if (type === 'ping') feed.send({ type: 'pong' });
      else if (type === 'error') feed.lost.push(message);
    });
    return feed;
  }

  /** The old gateway did not confirm a subscribe: a status shows it. */
  async subscribe(...symbols: string[]): Promise<void> {
    for (const symbol of symbols) this.send({ type: 'subscribe', symbol });
    await this.status();
  }

  status() {
    return this.ask({ type: 'get_status' }, 'status');
  }
}
