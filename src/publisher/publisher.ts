import { randomBytes } from 'node:crypto';
import { canonicalTopic, userTopicName } from '../protocol/user-topics.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { Broadcasts } from './broadcasts.ts';
import { GatewayConnection } from './connection.ts';
import { batchable, Delivery } from './delivery.ts';
import { type EventSource, forwardEvents, type Routes } from './forward.ts';
import { type PublisherOptions, type Settings, settingsOf } from './options.ts';
import {
  type BroadcastInput,
  type PublicationInput,
  type PublicationOptions,
  type Published,
  publicationText,
} from './publication.ts';
import { argumentError, localError, PublishError } from './publish-error.ts';
import { Queue, type QueuedPublication } from './queue.ts';

/** The body of `PUT /api/jobs/{id}`. */
export interface JobReport {
  /** 0 to 100. Default: unchanged; 100 for a completed job. */
  readonly progress?: number | undefined;
  /** `completed` and `error` end the job. Default: `running`. */
  readonly status?: string | undefined;
  readonly current_step?: string | undefined;
  readonly error?: string | undefined;
  readonly details?: unknown;
  /** Starts the job anew, even if it has ended; progress may then go backwards. */
  readonly restart?: boolean | undefined;
}

/** A message to one user. */
export interface UserMessage extends PublicationOptions {
  /** Default: `notification`, or `sync_update`. */
  readonly type?: string | undefined;
}

/** `connections`: how many connections the user had. */
export interface UserPublished extends Published {
  readonly connections: number;
}

type Target = Pick<QueuedPublication, 'method' | 'path' | 'order'>;

/**
 * Publishes to a gateway over HTTP. It keeps a connection alive, batches what is published while a request is in
 * flight, and retries failed requests until `totalTimeoutMs`. Each promise resolves with the position of its
 * publication, or rejects with a `PublishError`. Publications to one topic keep the order of the calls.
 */
export class Publisher {
  /** A helper per kind of broadcast. */
  readonly send: Broadcasts;
  readonly #settings: Settings;
  readonly #queue: Queue;
  readonly #connection: GatewayConnection;
  readonly #delivery: Delivery;
  /** Prefix of this publisher's messageIds. */
  readonly #idPrefix = randomBytes(9).toString('base64url');
  #nextId = 0;
  #closing: Promise<void> | undefined;

  /** Throws a `TypeError` that names all faults of the options. It connects with the first publication. */
  constructor(options: PublisherOptions) {
    this.#settings = settingsOf(options);
    this.#queue = new Queue(this.#settings);
    this.#connection = new GatewayConnection(this.#settings.url);
    this.#delivery = new Delivery(this.#queue, this.#connection, this.#settings, () => performance.now());
    this.send = new Broadcasts(
      (topic, type, data, more) => this.publish(topic, type, data, more),
      this.#settings.broadcastNamespace,
    );
  }

  /** Number of unacknowledged publications. */
  get queued(): number {
    return this.#queue.size;
  }

  /** `data` is copied at once. Bytes are sent as they are, everything else as JSON. */
  publish(topic: string, type: string, data?: unknown, options?: PublicationOptions): Promise<Published> {
    return this.#publication({ ...options, topic, type, data });
  }

  /** Publishes to all sessions, in the topic `$all`. */
  broadcast(type: string, data?: unknown, options?: PublicationOptions): Promise<Published> {
    const target = { method: 'POST', path: '/api/broadcast', order: '$all' } as const;
    return this.#message(() => target, { ...options, type, data });
  }

  /** Publishes to all devices of a user, including those that connect later. */
  notifyUser(user: string, data: unknown, message: UserMessage = {}): Promise<UserPublished> {
    return this.#toUser(user, 'notify', { ...message, data });
  }

  /** Publishes to all devices of a user except the session `except`, which already has it. */
  syncUser(user: string, except: string, data: unknown, message: UserMessage = {}): Promise<UserPublished> {
    return this.#toUser(user, 'sync', { ...message, except, data });
  }

  /**
   * Reports the progress of a job. Rejects with `job_conflict` if the job has ended or its progress would go backwards.
   */
  reportJob(id: string, report: JobReport): Promise<Published> {
    const messageId = this.#settings.messageIds ? this.#newId() : undefined;
    return this.#enqueue(
      () => ({ ...targetOf('PUT', '/api/jobs', 'id', id), order: `job:${id}` }),
      () => JSON.stringify({ ...report, messageId }),
      true,
    );
  }

  /**
   * Publishes the events of an `EventEmitter`, until the function that it returns is called. Errors go to `onError`, by
   * default that of the publisher; without one they become warnings of the process. Throws a `TypeError` if `routes` or
   * `onError` are not what they must be.
   */
  forward(
    emitter: EventSource,
    routes: Routes,
    options?: { readonly onError?: ((error: Error) => void) | undefined },
  ): () => void {
    const onError = options?.onError ?? this.#settings.onError ?? warn;
    return forwardEvents(emitter, routes, (publication) => this.#publication(publication), onError);
  }

  /**
   * Refuses further publications, and resolves once each earlier one has settled, at the latest after `totalTimeoutMs`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#delivery.finished().then(() => this.#connection.close());
    return this.#closing;
  }

  #publication(publication: PublicationInput): Promise<Published> {
    const order = canonicalTopic(String(publication.topic));
    return this.#message(() => ({ method: 'POST', path: batchable, order }), publication);
  }

  #toUser(user: string, action: 'notify' | 'sync', message: object): Promise<UserPublished> {
    const target = (): Target => {
      const of = targetOf('POST', '/api/users', 'user', user);
      return { ...of, path: `${of.path}/${action}`, order: userTopicName(user) ?? of.path };
    };
    return this.#message(target, message as BroadcastInput);
  }

  /** The publication with a messageId. */
  #message<T extends Published>(target: () => Target, input: PublicationInput | BroadcastInput): Promise<T> {
    const hasOwnId = input.messageId !== undefined || !this.#settings.messageIds;
    const message = hasOwnId ? input : { ...input, messageId: this.#newId() };
    return this.#enqueue(target, () => publicationText(message), !hasOwnId);
  }

  #newId(): string {
    return `${this.#idPrefix}-${(this.#nextId++).toString(36)}`;
  }

  #enqueue<T>(target: () => Target, write: () => string, hidesDuplicate: boolean): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      if (this.#closing !== undefined) throw localError('closed');
      this.#queue.add({
        ...target(),
        body: bodyOf(write),
        expiresAtMs: performance.now() + this.#settings.totalTimeoutMs,
        hidesDuplicate,
        resolve: (result) => resolve(result as T),
        reject,
        isUnsure: false,
        isSettled: false,
      });
      this.#delivery.start();
    });
    const { onError } = this.#settings;
    if (onError !== undefined) promise.catch(onError);
    return promise;
  }
}

/** Throws if the name is no text: `undefined` would reach a user of that name. */
function targetOf(
  method: Target['method'],
  folder: string,
  what: string,
  name: unknown,
): Omit<Target, 'order'> {
  if (typeof name !== 'string' || name === '' || !isWellFormed(name))
    throw argumentError(`${what} must be a text that is not empty`);
  return { method, path: `${folder}/${encodeURIComponent(name)}` };
}

function bodyOf(write: () => string): Uint8Array {
  try {
    return Buffer.from(write());
  } catch (cause) {
    throw localError('unsupported_value', `It can't be carried as JSON: ${(cause as Error).message}`, cause);
  }
}

function warn(error: Error): void {
  process.emitWarning(`an event was not published: ${error.message}`, {
    code: error instanceof PublishError ? error.code : 'route_failed',
  });
}
