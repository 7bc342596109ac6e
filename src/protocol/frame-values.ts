import { type Fields, maxUint32 } from './fields.ts';
import type { Mode, OffsetRange, PresenceMember, Publication, TopicResult, WireError } from './frames.ts';
import { readOptionalFields } from './optional-fields.ts';
import { nullPayload } from './payload.ts';
import { draftPublication, seenRows } from './publication.ts';

// Readers of the values that several kinds of frames have.

export function readPublication(fields: Fields): Publication {
  const publication = draftPublication(
    fields.integer('offset'),
    fields.instant('timestampMs'),
    fields.anyText('type'),
    fields.payload() ?? nullPayload,
  );
  readOptionalFields(fields, seenRows, publication);
  return publication;
}

export function range(fields: Fields): OffsetRange {
  const after = fields.integer('after');
  const upto = fields.integer('upto');
  if (after > upto) fields.fail('after', 'must not be above upto');
  return { after, upto };
}

export function position(fields: Fields): { epoch: string; offset: number } {
  return { epoch: fields.anyText('epoch'), offset: fields.integer('offset') };
}

export function member(fields: Fields): PresenceMember {
  return {
    session: fields.anyText('session'),
    user: fields.optionalText('user'),
    sinceMs: fields.instant('sinceMs'),
  };
}

export function wireError(fields: Fields): WireError {
  return {
    code: fields.anyText('code'),
    number: fields.integer('number', maxUint32),
    message: fields.anyText('message'),
    retry: fields.flag('retry'),
    retryAfterMs: fields.positive('retryAfterMs', maxUint32),
  };
}

export function topicResult(fields: Fields): TopicResult {
  return {
    topic: fields.anyText('topic'),
    ...position(fields),
    mode: mode(fields),
    recovered: fields.presentFlag('recovered'),
    missing: fields.optionalChild('missing', range),
  };
}

/** A name in JSON, a number in protobuf. */
export function mode(fields: Fields): Mode {
  const value = fields.raw['mode'];
  if (value === 'state' || value === 1) return 'state';
  if (value !== 'stream' && value !== 0 && value !== undefined) fields.fail('mode', 'is unknown');
  return 'stream';
}
