import type { PublishFields } from '../protocol/frames.ts';
import { isNamed, plainString } from '../protocol/json/envelope.ts';
import type { JsonText, Member, ScanFault } from '../protocol/json/scanner.ts';
import type { Texts } from '../protocol/json/short-texts.ts';
import { nullPayload } from '../protocol/payload.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { keyMaxLength } from '../topics/publish-problem.ts';
import { defaultType } from './schemas.ts';

/**
 * The fields of the usual publish: a topic, perhaps type, key and data, the texts without escapes. The schema wants
 * nothing of these that isn't looked at here, and costs several times as much (`bench -- http`). Undefined: the publish
 * says more, or is at fault, so that it is for the schema.
 */
export function plainFields(
  body: Uint8Array,
  text: JsonText | ScanFault,
  texts: Texts,
): PublishFields | undefined {
  if (!text.ok || text.kind !== 'object') return undefined;
  let topic: string | undefined;
  let type: string | undefined;
  let key: string | undefined;
  let data: Member | undefined;
  for (const member of text.members) {
    if (isNamed(body, member, 'data')) {
      data = member;
      continue;
    }
    const value = plainString(body, member, texts);
    if (value === undefined) return undefined;
    if (isNamed(body, member, 'topic')) topic = value;
    else if (isNamed(body, member, 'type')) type = value;
    else if (isNamed(body, member, 'key')) key = value;
    else return undefined;
  }
  if (topic === undefined || (key !== undefined && key.length > keyMaxLength)) return undefined;
  return {
    topic: canonicalTopic(topic),
    type: type ?? defaultType,
    payload:
      data === undefined ? nullPayload : { format: 'json', bytes: body.subarray(data.start, data.end) },
    key,
    tags: undefined,
    messageId: undefined,
    ttlMs: undefined,
    except: undefined,
    timestampMs: undefined,
    removed: undefined,
  };
}
