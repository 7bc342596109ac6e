import { isRecord } from './reading.ts';

/** The list of servers could not be fetched. */
export class ListError extends Error {
  /** The status of the response. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const pageTopics = 1_000;

/** The topics of all monitored servers, by name. */
export async function listServers(credential: string | undefined): Promise<string[]> {
  const topics: string[] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await listPage(credential, after);
    topics.push(...page.topics);
    after = page.next;
  }
  return topics.sort();
}

async function listPage(
  credential: string | undefined,
  after: string,
): Promise<{ readonly topics: readonly string[]; readonly next: string | undefined }> {
  const query = new URLSearchParams({ prefix: 'server:', limit: String(pageTopics), after });
  const headers = credential === undefined ? undefined : { authorization: `Bearer ${credential}` };
  const response = await fetch(`api/topics?${query}`, { headers, signal: AbortSignal.timeout(5_000) });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new ListError(response.status, messageOf(body) ?? `HTTP ${response.status}`);
  const entries = isRecord(body) && Array.isArray(body['topics']) ? body['topics'] : [];
  return {
    topics: entries.flatMap((entry) =>
      isRecord(entry) && typeof entry['topic'] === 'string' ? [entry['topic']] : [],
    ),
    next: isRecord(body) && typeof body['next'] === 'string' ? body['next'] : undefined,
  };
}

function messageOf(body: unknown): string | undefined {
  const error = isRecord(body) ? body['error'] : undefined;
  return isRecord(error) && typeof error['message'] === 'string' ? error['message'] : undefined;
}

/** `server:web-01` is shown as `web-01`. */
export function serverName(topic: string): string {
  return topic.replace(/^server:/, '');
}
