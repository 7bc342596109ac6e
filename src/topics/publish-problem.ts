import { SluiceError } from '../errors.ts';
import { publicationTypeProblem } from '../protocol/frame-kinds.ts';
import { lastInstantMs } from '../protocol/integers.ts';
import {
  fieldRows,
  hasOptionalFields,
  type Kinds,
  type NamedField,
  type PublishFields,
  type Tags,
} from '../protocol/publication.ts';
import { tagMaxLength, tagsMax } from '../protocol/publish-limits.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { topicProblem } from './topic-name.ts';

/** What is wrong with the name of a topic that is not there yet. */
export function topicNameProblem(name: string): SluiceError | undefined {
  const problem = topicProblem(name);
  return problem === undefined ? undefined : new SluiceError('invalid_topic', problem);
}

/** Checks everything about a publish but its topic. The caller has checked that a JSON payload is JSON. */
export function publishProblem(fields: PublishFields, payloadMaxBytes: number): SluiceError | undefined {
  const type = publicationTypeProblem(fields.type);
  if (type !== undefined) return new SluiceError('invalid_type', type);
  if (fields.payload.bytes.length > payloadMaxBytes) {
    return new SluiceError(
      'payload_too_large',
      `the payload has ${fields.payload.bytes.length} bytes; at most ${payloadMaxBytes} are taken`,
    );
  }
  return hasOptionalFields(fields) ? membersProblem(fields) : undefined;
}

function membersProblem(fields: PublishFields): SluiceError | undefined {
  for (const row of fieldRows) {
    const value = fields[row.name];
    if (value === undefined) continue;
    const problem = problems[row.kind](value as never, row);
    if (problem !== undefined) return memberProblem(row.name, problem);
  }
  if (fields.expectedOffset !== undefined)
    return new SluiceError('not_supported', 'expectedOffset is reserved');
  return undefined;
}

/** Names the member in `details`, as errors about HTTP bodies do. */
function memberProblem(path: string, message: string): SluiceError {
  return new SluiceError('invalid_request', message, { details: [{ path, message }] });
}

const problems: { readonly [K in keyof Kinds]: (value: Kinds[K], row: NamedField) => string | undefined } = {
  text: textProblem,
  tags: tagsProblem,
  flag: () => undefined,
  duration: (value, { name }) =>
    Number.isSafeInteger(value) && value > 0 ? undefined : `${name} is a positive integer`,
  instant: (value) =>
    Number.isSafeInteger(value) && value >= 0 && value <= lastInstantMs
      ? undefined
      : 'timestamp is out of range',
  integer: (value, { name }) =>
    Number.isSafeInteger(value) && value >= 0 ? undefined : `${name} is not an integer`,
};

function textProblem(text: string, { name, minLength = 0, maxLength }: NamedField): string | undefined {
  if (text.length < minLength) return `${name} must not be empty`;
  if (maxLength !== undefined && text.length > maxLength)
    return `${name} has at most ${maxLength} characters`;
  // Half a surrogate pair can't be written as UTF-8: the codecs would disagree on the text.
  return isWellFormed(text) ? undefined : `${name} is not well-formed Unicode`;
}

function tagsProblem(tags: Tags): string | undefined {
  let count = 0;
  for (const name in tags) {
    if (++count > tagsMax) return `at most ${tagsMax} tags`;
    const value = tags[name] as string;
    if (name === '' || name.length > tagMaxLength)
      return `the name of a tag has 1 to ${tagMaxLength} characters`;
    if (!isWellFormed(name) || !isWellFormed(value)) return 'tags are not well-formed Unicode';
    if (value.length > tagMaxLength) return `the value of a tag has at most ${tagMaxLength} characters`;
  }
  return undefined;
}
