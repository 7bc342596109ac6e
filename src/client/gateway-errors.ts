/**
 * The gateway's error codes: the part of `src/errors.ts` that a page needs, as small as it can be shipped. A number
 * holds for the code after it, and grows by one with each. A test compares them with the table.
 */
const codes = /* @__PURE__ */ (
  '100 invalid_frame unknown_command invalid_request invalid_json invalid_topic invalid_type invalid_filter ' +
  'payload_too_large frame_too_large not_supported unauthorized token_expired forbidden origin_not_allowed local_only ' +
  '116 token_not_yet_valid token_keys_unavailable 120 not_found method_not_allowed unsupported_media_type unknown_subprotocol upgrade_required ' +
  '130 already_connected already_subscribed not_subscribed message_id_conflict position_conflict job_conflict ' +
  '140 rate_limited too_many_subscriptions too_many_views too_many_connections too_many_connections_from_ip ' +
  'too_many_connections_of_user too_many_topics too_many_keys 150 engine_unavailable shutting_down internal'
).split(' ');

/** Undefined: the gateway has no such code. */
export function gatewayNumber(code: string): number | undefined {
  let number = 0;
  for (const each of codes) {
    const first = Number(each);
    if (first) number = first;
    else if (each === code) return number;
    else number++;
  }
  return undefined;
}

/** Whether another token or key can mend it: the codes of `auth: 'credential'` that are not to be retried. */
export function needsOtherCredential(code: string): boolean {
  return code === 'unauthorized' || code === 'token_expired';
}

/** Whether the same request may succeed later. Also of an unknown code, which has the number 0. */
export function mayRetry(number: number): boolean {
  return number === 0 || (number >= 116 && number < 120) || number >= 140;
}
