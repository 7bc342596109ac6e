import { namespaceKinds } from '../namespaces.ts';
import { bytes, integer } from '../values.ts';
import { count, KiB, MiB, option } from './option.ts';

/** How publications are batched, compressed and buffered, and what clients may send. */
export const deliveryOptions = {
  batchMaxDelayMs: option(
    namespaceKinds.batchMaxDelayMs,
    5,
    'Longest time that a busy topic collects a batch.',
  ),
  batchMaxBytes: option(namespaceKinds.batchMaxBytes, 64 * KiB, 'A batch of this size goes out at once.'),
  batchMaxPublications: option(
    namespaceKinds.batchMaxPublications,
    10_000,
    'Publications of a live batch: as many go out at once, more in several. Of what a client has missed, `batchMaxBytes` alone bounds a batch.',
  ),
  compressMinBytes: option(bytes(0, 2 ** 30), 256, 'Batches from this size may be compressed; 0: never.'),
  dictionaryMinBytes: option(
    bytes(0, 2 ** 30),
    64,
    'Batches from this size may be compressed with a shared dictionary; 0: there are none.',
  ),
  backpressureMaxBytes: option(
    bytes(4 * KiB, 2 ** 31),
    64 * KiB,
    'Unsent bytes of a session, besides what the kernel holds, before it counts as lagging.',
  ),
  backpressureTotalMaxBytes: option(
    bytes(4 * KiB, 2 ** 40),
    256 * MiB,
    'Unsent bytes of all sessions together.',
  ),
  payloadMaxBytes: option(bytes(1, 2 ** 28), 64 * KiB, 'Payload of a publication.'),
  frameMaxBytes: option(bytes(KiB, 2 ** 29), MiB, 'Message that a client may send.'),
  bodyMaxBytes: option(bytes(KiB, 2 ** 30), 8 * MiB, 'Body of an HTTP request.'),
  requestsMaxBytesPerClient: option(
    bytes(64 * KiB, 2 ** 40),
    16 * MiB,
    'Bodies that are under way, responses that are unread, and commands that wait, each, of one key, user, session or address; at least a whole body.',
  ),
  requestsMaxBytes: option(bytes(64 * KiB, 2 ** 40), 64 * MiB, 'The same of all clients together.'),
  subscriptionsPerSession: option(count, 100, 'Subscriptions of a session.'),
  presenceMaxBytes: option(
    bytes(KiB, 2 ** 40),
    128 * MiB,
    'Members of all topics, of whom a key, user or session may have a quarter. One takes 512 bytes and its names; those that find no room are subscribed and not listed.',
  ),
  commandsPerSecond: option(integer(1, 1_000_000), 100, 'Commands per second and session.'),
  viewsPerTopic: option(
    count,
    64,
    'Distinct views with a filter, an interval or keys of a topic or pattern: a quarter for one key, user or session, and for the sessions without key or token of one address; half for all of these.',
  ),
  viewsMax: option(count, 10_000, 'The same of all topics together. Plain subscriptions always have room.'),
} as const;
