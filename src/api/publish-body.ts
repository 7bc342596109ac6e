import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { fromBase64 } from '../protocol/base64.ts';
import { maxInstantMs } from '../protocol/fields.ts';
import type { Payload, PublishFields } from '../protocol/frames.ts';
import { fromInstant } from '../protocol/instant.ts';
import { splitEnvelope, wantedObject } from '../protocol/json/envelope.ts';
import { type JsonText, type ScanFault, scanJson } from '../protocol/json/scanner.ts';
import { plainTexts } from '../protocol/json/short-texts.ts';
import { nullPayload } from '../protocol/payload.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { broadcastTopic, isReserved } from '../topics/topic-name.ts';
import { plainFields } from './plain-fields.ts';
import { broadcastEnvelope, defaultType, type PublishEnvelope, publishEnvelope } from './schemas.ts';
import { invalidRequest, validate } from './validate.ts';

/**
 * What `body` asks to publish, or what is wrong with it. `data` is taken byte for byte, and stays a part of `body`: rings and states
 * keep copies. Where only a part of `body` is meant, `text` is what scanning it told.
 */
export function readPublish(
  body: Uint8Array,
  text = scanJson(body, wantedObject),
  texts = plainTexts,
): PublishFields | SluiceError {
  const fields = plainFields(body, text, texts) ?? checkedFields(body, text, texts);
  if (!(fields instanceof SluiceError) && isReserved(fields.topic)) {
    return new SluiceError('invalid_topic', 'names that begin with "$" are Sluice’s own');
  }
  return fields;
}

/** By the schema; `plainFields` is its quick equal for what most bodies are. */
export function checkedFields(
  body: Uint8Array,
  text: JsonText | ScanFault,
  texts = plainTexts,
): PublishFields | SluiceError {
  const read = readEnvelope(body, text, publishEnvelope, texts);
  return read instanceof SluiceError ? read : fieldsOf(read.envelope.topic, read.envelope, read.data);
}

/** The same without a topic. */
export function readBroadcast(body: Uint8Array): PublishFields | SluiceError {
  const read = readEnvelope(body, scanJson(body, wantedObject), broadcastEnvelope);
  return read instanceof SluiceError ? read : fieldsOf(broadcastTopic, read.envelope, read.data);
}

function readEnvelope<T>(
  body: Uint8Array,
  text: JsonText | ScanFault,
  schema: z.ZodType<T>,
  texts = plainTexts,
): { readonly envelope: T; readonly data: Uint8Array | undefined } | SluiceError {
  const split = splitEnvelope(body, 'data', text, texts);
  if (!split.ok) {
    return new SluiceError(split.reason === 'too_many' ? 'invalid_request' : 'invalid_json', split.message);
  }
  const tags = split.envelope['tags'];
  // No object that is made from it by assignment could hold this one, so it would be lost without a word.
  if (typeof tags === 'object' && tags !== null && Object.hasOwn(tags, '__proto__')) {
    return invalidRequest([{ path: 'tags.__proto__', message: 'is no name of a tag' }]);
  }
  const envelope = validate(schema, split.envelope);
  if (envelope instanceof SluiceError) return envelope;
  return { envelope, data: split.payload };
}

function fieldsOf(
  topic: string,
  envelope: Omit<PublishEnvelope, 'topic'>,
  data: Uint8Array | undefined,
): PublishFields | SluiceError {
  const payload = jsonOrBase64(envelope.dataBase64 ?? undefined, data);
  if (payload instanceof SluiceError) return payload;
  const timestampMs = timestampOf(envelope.timestamp ?? undefined);
  if (timestampMs instanceof SluiceError) return timestampMs;
  return {
    topic: canonicalTopic(topic),
    type: envelope.type ?? defaultType,
    payload,
    key: envelope.key ?? undefined,
    tags: envelope.tags ?? undefined,
    messageId: envelope.messageId ?? undefined,
    ttlMs: envelope.ttlMs ?? undefined,
    except: envelope.except ?? undefined,
    timestampMs,
    removed: envelope.removed ?? undefined,
  };
}

function jsonOrBase64(base64: string | undefined, data: Uint8Array | undefined): Payload | SluiceError {
  if (base64 === undefined) return data === undefined ? nullPayload : { format: 'json', bytes: data };
  if (data !== undefined) return invalidRequest([{ path: 'dataBase64', message: 'stands instead of data' }]);
  const bytes = fromBase64(base64);
  return bytes === undefined
    ? invalidRequest([{ path: 'dataBase64', message: 'is not base64 (RFC 4648, with padding)' }])
    : { format: 'binary', bytes };
}

function timestampOf(text: string | undefined): number | undefined | SluiceError {
  if (text === undefined) return undefined;
  const ms = fromInstant(text);
  return ms === undefined || ms < 0 || ms > maxInstantMs
    ? invalidRequest([{ path: 'timestamp', message: 'must be a point in time from 1970 to 9999' }])
    : ms;
}
