import type { PublicationOptions, Published } from './publication.ts';

/** The kinds of broadcast of a web administration, each with its topic and type. */
const kinds = {
  stats: { topic: 'stats', type: 'stats_update' },
  ruleChange: { topic: 'rules', type: 'rule_change' },
  systemEvent: { topic: 'system', type: 'system_event' },
  log: { topic: 'logs', type: 'log' },
  alert: { topic: 'alerts', type: 'alert' },
  notification: { topic: 'notifications', type: 'notification' },
} as const;

type Kind = keyof typeof kinds;

export interface RuleChange {
  readonly rule_id: string | number;
  /** `created`, `updated`, `deleted` … */
  readonly action: string;
  readonly details?: unknown;
}

type Publish = (
  topic: string,
  type: string,
  data: unknown,
  options?: PublicationOptions,
) => Promise<Published>;

/** A helper per kind of broadcast. The topics are in the `broadcastNamespace` of the publisher, if it has one. */
export class Broadcasts {
  readonly #publish: Publish;
  readonly #prefix: string;

  constructor(publish: Publish, namespace?: string) {
    this.#publish = publish;
    this.#prefix = namespace === undefined ? '' : `${namespace}:`;
  }

  /** To the topic `stats`, as `stats_update`. */
  stats(data: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('stats', data, options);
  }

  /** To the topic `rules`, as `rule_change`. */
  ruleChange({ rule_id, action, details }: RuleChange, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('ruleChange', { rule_id, action, details }, options);
  }

  /** To the topic `system`, as `system_event`. */
  systemEvent(data: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('systemEvent', data, options);
  }

  /** To the topic `logs`, as `log`. */
  log(data: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('log', data, options);
  }

  /** To the topic `alerts`, as `alert`. */
  alert(data: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('alert', data, options);
  }

  /** To the topic `notifications`, as `notification`. */
  notification(data: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#broadcast('notification', data, options);
  }

  #broadcast(kind: Kind, data: unknown, options?: PublicationOptions): Promise<Published> {
    const { topic, type } = kinds[kind];
    return this.#publish(this.#prefix + topic, type, data, options);
  }
}
