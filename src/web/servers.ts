import { isRecord } from './reading.ts';

/** The topics of monitored servers, by name. */
export async function listServers(token: string | undefined): Promise<string[]> {
  const headers = token ? { authorization: `Bearer ${token}` } : undefined;
  const response = await fetch('/api/topics?prefix=server:', { headers, signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`GET /api/topics answered ${response.status}`);
  const body: unknown = await response.json();
  const topics = isRecord(body) && Array.isArray(body['topics']) ? body['topics'] : [];
  return topics
    .flatMap((entry) => (isRecord(entry) && typeof entry['topic'] === 'string' ? [entry['topic']] : []))
    .sort();
}

/** `server:web-01` is shown as `web-01`. */
export function serverName(topic: string): string {
  return topic.replace(/^server:/, '');
}
