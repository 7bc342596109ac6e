import { namespaceKinds } from '../namespaces.ts';
import { bytes, integer } from '../values.ts';
import { count, KiB, liveOption, MiB, option } from './option.ts';

/** How publications are batched, compressed and buffered, and what clients may send. */
export const deliveryOptions = {
  batchMaxDelayMs: liveOption(
    namespaceKinds.batchMaxDelayMs,
    5,
    'Maximum time that a busy topic collects a batch.',
  ),
  batchMaxBytes: liveOption(namespaceKinds.batchMaxBytes, 64 * KiB, 'Size at which a batch is sent at once.'),
  batchMaxPublications: liveOption(
    namespaceKinds.batchMaxPublications,
    10_000,
    'Maximum number of publications in a live batch, which is sent once it has as many. Batches of catch-up are limited by `batchMaxBytes` alone.',
  ),
  compressMinBytes: option(
    bytes(0, 2 ** 30),
    256,
    'Minimum size of a batch to be compressed; 0 turns compression off.',
  ),
  dictionaryMinBytes: option(
    bytes(0, 2 ** 30),
    64,
    'Minimum size of a batch to be compressed with a shared dictionary; 0 turns dictionaries off.',
  ),
  backpressureMaxBytes: option(
    bytes(4 * KiB, 2 ** 31),
    64 * KiB,
    'Unsent bytes, beyond the kernel’s buffers, from which on a session is lagging.',
  ),
  backpressureTotalMaxBytes: option(
    bytes(4 * KiB, 2 ** 40),
    256 * MiB,
    'Maximum unsent bytes of all sessions together.',
  ),
  payloadMaxBytes: option(bytes(1, 2 ** 28), 64 * KiB, 'Maximum size of the payload of a publication.'),
  frameMaxBytes: option(bytes(KiB, 2 ** 29), 512 * KiB, 'Maximum size of a message from a client.'),
  bodyMaxBytes: option(bytes(KiB, 2 ** 30), 8 * MiB, 'Maximum size of the body of an HTTP request.'),
  requestsMaxBytesPerClient: option(
    bytes(64 * KiB, 2 ** 40),
    16 * MiB,
    'Maximum size of request bodies being received, of unread responses, and of waiting commands, each, per key, user, session or address; at least one whole body.',
  ),
  requestsMaxBytes: option(
    bytes(64 * KiB, 2 ** 40),
    64 * MiB,
    'Maximum size of each of these for all clients together.',
  ),
  subscriptionsPerSession: liveOption(count, 100, 'Maximum number of subscriptions per session.'),
  presenceMaxBytes: option(
    bytes(KiB, 2 ** 40),
    128 * MiB,
    'Maximum memory for the members of all topics; one key, user or session may use a quarter. A member takes 512 bytes and its names. Members above the limit are subscribed, but not listed.',
  ),
  commandsPerSecond: liveOption(integer(1, 1_000_000), 100, 'Maximum commands per second and session.'),
  viewsPerTopic: option(
    count,
    64,
    'Maximum number of distinct views of a topic or pattern with a filter, an interval or keys. One key, user or session may use a quarter; so may all sessions of one address without key or token, and all of these together half.',
  ),
  viewsMax: option(
    count,
    10_000,
    'Maximum number of such views over all topics. Plain subscriptions do not count.',
  ),
} as const;
