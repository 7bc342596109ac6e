import { subscriptionOf, type TrySettings } from './wire.ts';

/** The URL of a stream or poll. Without a cursor it begins with `last`. A credential has no other place than a URL. */
export function streamUrl(
  path: string,
  settings: TrySettings,
  cursor: string | undefined,
  token: string | undefined,
): URL {
  const url = new URL(path, location.href);
  url.hash = '';
  const { topic, filter, intervalMs, last } = subscriptionOf(settings);
  const members = {
    topic,
    filter: filter && JSON.stringify(filter),
    intervalMs,
    last: cursor === undefined ? last : undefined,
    cursor,
    token,
  };
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}
