import { type CliDeps, Exit } from './deps.ts';

/** Less than the 3 s that the Dockerfile allows for the whole command. */
const timeoutMs = 2000;

/** Checks that a gateway is alive. */
export async function checkHealth(url: string, deps: CliDeps): Promise<void> {
  const response = await deps
    .fetch(`${url}/healthz`, { signal: AbortSignal.timeout(timeoutMs) })
    .catch((error: unknown) => {
      throw new Exit(1, `No gateway responds at ${url}.`, error);
    });
  if (!response.ok) throw new Exit(1, `${url}/healthz answered ${response.status}: ${await response.text()}`);
  deps.print(`${url} is alive.\n`);
}
