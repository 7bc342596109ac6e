/**
 * The names of the keys: all of one prefix have one hash tag, so that a cluster has them in one slot and scripts may
 * use them together.
 */
export class Keys {
  readonly #tag: string;
  /** Hash: the numbering of commits. */
  readonly meta: string;
  /** Stream: recent commits, for the nodes. */
  readonly log: string;
  /** Channel: what comes to the log. Channels belong to all databases of a Redis, so each has one of its own. */
  readonly feed: string;
  /** Stream: what the nodes tell each other. */
  readonly messages: string;
  /** Hash: the head of each topic. */
  readonly heads: string;
  /** Sorted set: topics without content, the longest idle first. */
  readonly idle: string;
  /** Hash: up to where clients have had topics. */
  readonly acknowledged: string;
  /** List: when each message id was used, the oldest first. */
  readonly aged: string;
  /** Hash: the nodes, and when each was last heard of. */
  readonly nodes: string;
  /** Set: the nodes that a server has not heard from since it took over from another one. */
  readonly census: string;
  /** Set: the nodes that count something. */
  readonly counting: string;
  /** Hash: what all nodes together have of each key that they count. */
  readonly totals: string;
  /** Hash: of keys whose total has reached their limit, the total and the limit. */
  readonly full: string;

  constructor(prefix: string, database = 0) {
    this.#tag = `{${prefix}}`;
    this.meta = this.#key('meta');
    this.log = this.#key('log');
    this.feed = this.#key(database === 0 ? 'feed' : `feed:${database}`);
    this.messages = this.#key('messages');
    this.heads = this.#key('heads');
    this.idle = this.#key('idle');
    this.acknowledged = this.#key('acknowledged');
    this.aged = this.#key('ids');
    this.nodes = this.#key('nodes');
    this.census = this.#key('census');
    this.counting = this.#key('counting');
    this.totals = this.#key('totals');
    this.full = this.#key('full');
  }

  /** Hash: the replies to the last batches of a node, and the number up to which it has given batches up. */
  replies(node: string): string {
    return this.#key(`answers:${node}`);
  }

  /** Hash: what a node has of each key that it counts. */
  counts(node: string): string {
    return this.#key(`counts:${node}`);
  }

  /** Stream: the publications of a topic, by offset. */
  content(topic: string): string {
    return this.#key(`content:${topic}`);
  }

  /** Hash: the newest publication of each key of a topic in state mode. */
  values(topic: string): string {
    return this.#key(`values:${topic}`);
  }

  /** Text: the publication that had this message id. No topic holds a space. */
  messageId(topic: string, messageId: string): string {
    return this.#key(`id:${topic} ${messageId}`);
  }

  #key(name: string): string {
    return `${this.#tag}:${name}`;
  }
}
