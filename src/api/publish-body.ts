import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { asObject, isNamed, memberValue, objectScan } from '../protocol/json/envelope.ts';
import { isFaults, type PublishDialect, readJsonPublish } from '../protocol/json/publish.ts';
import {
  type JsonMember,
  type JsonText,
  type ScanFault,
  type ScanOptions,
  scanJson,
} from '../protocol/json/scanner.ts';
import { ShortTexts } from '../protocol/json/short-texts.ts';
import type { PublishFields } from '../protocol/publication.ts';
import { broadcastTopic, isReserved } from '../topics/topic-name.ts';
import { defaultType, recipients } from './request-schemas.ts';
import { invalidRequest, validate } from './validate.ts';

const publishBody: PublishDialect = {
  typeMember: 'type',
  defaultType,
  isStrict: true,
  emptyIsAbsent: false,
};
const broadcastBody: PublishDialect = { ...publishBody, topic: broadcastTopic };

/** The members of a broadcast that say whom it is for. */
const lists = ['users', 'topics'] as const;

export type Recipients = z.output<typeof recipients>;

export interface Broadcast {
  readonly fields: PublishFields;
  /** Absent: all. */
  readonly recipients: Recipients | undefined;
}

/** Longer than any tags within the broker's limits, and any list of recipients. */
const nestedMinBytes = 128 * 1024;

/** Reads the bodies of publishes. Keeps the latest names and texts: most bodies repeat them. */
export class PublishBodies {
  /** A payload that is far too long is refused before it is read. */
  readonly scan: ScanOptions;
  readonly #texts = new ShortTexts();

  constructor(payloadMaxBytes: number) {
    this.scan = { ...objectScan, nestedMaxBytes: Math.max(payloadMaxBytes, nestedMinBytes) };
  }

  /**
   * Returns the publish that `body` asks for, or the error. `data` is taken byte for byte, and stays a part of `body`:
   * rings and states keep copies. `text`: the result of the scan, where only a part of `body` is meant.
   */
  publish(body: Uint8Array, text = scanJson(body, this.scan)): PublishFields | SluiceError {
    const fields = this.#read(body, text, publishBody);
    if (!(fields instanceof SluiceError) && isReserved(fields.topic)) {
      return new SluiceError('invalid_topic', 'names that begin with "$" are Sluice’s own');
    }
    return fields;
  }

  /** The same for a body without a topic; it is published to this one. */
  publishTo(topic: string, defaultType: string, body: Uint8Array): PublishFields | SluiceError {
    return this.#read(body, scanJson(body, this.scan), { ...publishBody, topic, defaultType });
  }

  /** A broadcast to all. */
  broadcast(body: Uint8Array): PublishFields | SluiceError {
    return this.#read(body, scanJson(body, this.scan), broadcastBody);
  }

  /** A broadcast to all, or to the recipients that it names. */
  addressed(body: Uint8Array): Broadcast | SluiceError {
    const text = asObject(scanJson(body, this.scan));
    if (!text.ok) return scanProblem(text);
    const isRecipients = (member: JsonMember) => lists.some((list) => isNamed(body, member, list));
    const publication = { ...text, members: text.members.filter((member) => !isRecipients(member)) };
    const fields = this.#read(body, publication, broadcastBody);
    if (fields instanceof SluiceError) return fields;
    if (publication.members.length === text.members.length) return { fields, recipients: undefined };
    const members = lists.map((list) => [list, memberValue(body, text, list)]);
    const valid = validate(recipients, Object.fromEntries(members));
    return valid instanceof SluiceError ? valid : { fields, recipients: valid };
  }

  #read(
    body: Uint8Array,
    scanned: JsonText | ScanFault,
    dialect: PublishDialect,
  ): PublishFields | SluiceError {
    const text = asObject(scanned);
    if (!text.ok) return scanProblem(text);
    const fields = readJsonPublish(body, text, dialect, this.#texts);
    return isFaults(fields) ? invalidRequest(fields) : fields;
  }
}

function scanProblem({ reason, member, message }: ScanFault): SluiceError {
  if (reason === 'too_long')
    return member === 'data'
      ? new SluiceError('payload_too_large', `the payload has ${message}`)
      : invalidRequest([{ path: member ?? '', message: `has ${message}` }]);
  return new SluiceError(reason === 'too_many' ? 'invalid_request' : 'invalid_json', message);
}
