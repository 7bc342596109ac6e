import { SluiceError } from '../errors.ts';
import { maxInstantMs } from '../protocol/fields.ts';
import { publicationTypeProblem } from '../protocol/frame-kinds.ts';
import type { PublishFields } from '../protocol/frames.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { topicProblem } from './topic-name.ts';

export const keyMaxLength = 200;
export const tagsMax = 32;
export const tagMaxLength = 200;
export const messageIdMaxLength = 200;
const exceptMaxLength = 200;

/** What is wrong with the name of a topic that is not there yet. */
export function topicNameProblem(name: string): SluiceError | undefined {
  const problem = topicProblem(name);
  return problem === undefined ? undefined : new SluiceError('invalid_topic', problem);
}

/** What a publish must satisfy, besides its topic, whatever door it comes through; the door has checked that JSON payloads are JSON. */
export function publishProblem(fields: PublishFields, payloadMaxBytes: number): SluiceError | undefined {
  const type = publicationTypeProblem(fields.type);
  if (type !== undefined) return new SluiceError('invalid_type', type);
  if (fields.payload.bytes.length > payloadMaxBytes) {
    return new SluiceError(
      'payload_too_large',
      `the payload has ${fields.payload.bytes.length} bytes; at most ${payloadMaxBytes} are taken`,
    );
  }
  const problem =
    keyProblem(fields) ?? exceptProblem(fields) ?? tagsProblem(fields) ?? numbersProblem(fields);
  if (problem !== undefined) return new SluiceError('invalid_request', problem);
  if (fields.expectedOffset !== undefined)
    return new SluiceError('not_supported', 'expectedOffset is reserved');
  return undefined;
}

function keyProblem({ key, messageId }: PublishFields): string | undefined {
  if (key !== undefined && key.length > keyMaxLength) return `key has at most ${keyMaxLength} characters`;
  // Half a surrogate pair can't be written as UTF-8: the codecs would disagree on the key.
  if (key !== undefined && !isWellFormed(key)) return 'key is not well-formed Unicode';
  if (messageId === undefined) return undefined;
  if (messageId === '') return 'messageId must not be empty';
  return messageId.length > messageIdMaxLength
    ? `messageId has at most ${messageIdMaxLength} characters`
    : undefined;
}

function exceptProblem({ except }: PublishFields): string | undefined {
  if (except === undefined || (except !== '' && except.length <= exceptMaxLength)) return undefined;
  return `except has 1 to ${exceptMaxLength} characters`;
}

function tagsProblem({ tags }: PublishFields): string | undefined {
  if (tags === undefined) return undefined;
  let count = 0;
  for (const name in tags) {
    if (++count > tagsMax) return `at most ${tagsMax} tags`;
    if (name === '' || name.length > tagMaxLength)
      return `the name of a tag has 1 to ${tagMaxLength} characters`;
    if (!isWellFormed(name) || !isWellFormed(tags[name] as string)) return 'tags are not well-formed Unicode';
    if ((tags[name] as string).length > tagMaxLength)
      return `the value of a tag has at most ${tagMaxLength} characters`;
  }
  return undefined;
}

function numbersProblem({ ttlMs, timestampMs }: PublishFields): string | undefined {
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs > 0))
    return 'ttlMs is a positive integer';
  if (
    timestampMs !== undefined &&
    !(Number.isSafeInteger(timestampMs) && timestampMs >= 0 && timestampMs <= maxInstantMs)
  ) {
    return 'timestamp is out of range';
  }
  return undefined;
}
