import { isRecord } from './reading.ts';

/** Why the list can't be had: the gateway's code and words. */
export class ListRefused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The topics of monitored servers, by name. */
export async function listServers(token: string | undefined): Promise<string[]> {
  const headers = token ? { authorization: `Bearer ${token}` } : undefined;
  const response = await fetch('/api/topics?prefix=server:', { headers, signal: AbortSignal.timeout(5_000) });
  const body: unknown = await response.json();
  if (!response.ok) throw refusal(body);
  const topics = isRecord(body) && Array.isArray(body['topics']) ? body['topics'] : [];
  return topics
    .flatMap((entry) => (isRecord(entry) && typeof entry['topic'] === 'string' ? [entry['topic']] : []))
    .sort();
}

function refusal(body: unknown): ListRefused {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {};
  return new ListRefused(
    String(error['code'] ?? 'internal'),
    String(error['message'] ?? 'The list of topics cannot be had.'),
  );
}

/** `server:web-01` is shown as `web-01`. */
export function serverName(topic: string): string {
  return topic.replace(/^server:/, '');
}
