/**
 * The codes of the gateway's errors, in groups of consecutive numbers: each begins with the number of its first code.
 * Apart from the table, as small as it can be shipped, because the client needs it.
 */
const groups = [
  '100 invalid_frame unknown_command invalid_request invalid_json invalid_topic invalid_type invalid_filter payload_too_large frame_too_large not_supported unauthorized token_expired forbidden origin_not_allowed local_only',
  '116 token_not_yet_valid token_keys_unavailable denied token_revoked',
  '120 not_found method_not_allowed unsupported_media_type unknown_subprotocol upgrade_required',
  '130 already_connected already_subscribed not_subscribed message_id_conflict position_conflict job_conflict',
  '140 rate_limited too_many_subscriptions too_many_views too_many_connections too_many_connections_from_ip too_many_connections_of_user too_many_topics too_many_keys',
  '150 engine_unavailable shutting_down internal application_unavailable',
] as const;

type Words<Text extends string, Before = never> = Text extends `${infer First} ${infer Rest}`
  ? Words<Rest, Before | First>
  : Before | Text;

export type NumberedCode = Exclude<Words<(typeof groups)[number]>, `${number}`>;

/** Undefined: the gateway has no such code. */
export function errorNumber(code: string): number | undefined {
  for (const group of groups) {
    const [first, ...codes] = group.split(' ');
    if (codes.includes(code)) return Number(first) + codes.indexOf(code);
  }
  return undefined;
}
