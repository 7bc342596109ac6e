import { SluiceError } from '../errors.ts';
import { asObject, wantedObject } from '../protocol/json/envelope.ts';
import { isFaults, type PublishDialect, readJsonPublish } from '../protocol/json/publish.ts';
import { type JsonText, type ScanFault, scanJson, type Wanted } from '../protocol/json/scanner.ts';
import { ShortTexts } from '../protocol/json/short-texts.ts';
import type { PublishFields } from '../protocol/publication.ts';
import { broadcastTopic, isReserved } from '../topics/topic-name.ts';
import { defaultType } from './schemas.ts';
import { invalidRequest } from './validate.ts';

const publishBody: PublishDialect = {
  typeMember: 'type',
  defaultType,
  isStrict: true,
  emptyIsAbsent: false,
};
const broadcastBody: PublishDialect = { ...publishBody, topic: broadcastTopic };

/** No tags within the broker's limits are longer. */
const nestedMinBytes = 128 * 1024;

/** The bodies of publishes, with the names and texts of the last ones: most repeat them. */
export class PublishBodies {
  /** A payload that is too long, by far, is refused before it is read. */
  readonly wanted: Wanted;
  readonly #texts = new ShortTexts();

  constructor(payloadMaxBytes: number) {
    this.wanted = { ...wantedObject, maxNestedBytes: Math.max(payloadMaxBytes, nestedMinBytes) };
  }

  /**
   * What `body` asks to publish, or what is wrong with it. `data` is taken byte for byte, and stays a part of `body`:
   * rings and states keep copies. Where only a part of `body` is meant, `text` is what scanning it told.
   */
  publish(body: Uint8Array, text = scanJson(body, this.wanted)): PublishFields | SluiceError {
    const fields = this.#read(body, text, publishBody);
    if (!(fields instanceof SluiceError) && isReserved(fields.topic)) {
      return new SluiceError('invalid_topic', 'names that begin with "$" are Sluice’s own');
    }
    return fields;
  }

  /** The same without a topic. */
  broadcast(body: Uint8Array): PublishFields | SluiceError {
    return this.#read(body, scanJson(body, this.wanted), broadcastBody);
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
