import { type Config, ConfigError, type LiveConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { RunningGateway } from './deps.ts';

/** Reads the configuration of the command line anew. Throws a `ConfigError`. */
export type LoadConfig = (warn: (sentence: string) => void) => Config;

/**
 * Reads the configuration anew and has the gateway take what it can, and logs what changed and what needs a restart. A
 * configuration with faults changes nothing.
 */
export async function reload(
  live: LiveConfig,
  load: LoadConfig,
  server: Pick<RunningGateway, 'reload'>,
  log: Log,
): Promise<void> {
  try {
    const next = load((sentence) => log.warn(sentence));
    const { changed, needRestart } = live.take(next);
    // Without a change, too: certificates and public keys are files of their own.
    const problem = await server.reload();
    if (needRestart.length > 0) log.warn({ needRestart }, 'options that need a restart keep their values');
    const found = { changed, certificate: problem?.message };
    if (problem === undefined) log.info({ changed }, 'the configuration was reloaded');
    else log.error(found, 'the configuration was reloaded, but for the certificate');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error(
      { faults: error.faults },
      'the configuration was not reloaded, as it has faults: nothing changed',
    );
  }
}

/** Runs one reload at a time. Requests during the start wait, and count as one. */
export class ReloadsInTurn {
  #run: (() => Promise<void>) | undefined;
  #isAsked = false;
  #isRunning = false;

  ask(): void {
    this.#isAsked = true;
    void this.#next();
  }

  /** The gateway runs. */
  begin(run: () => Promise<void>): void {
    this.#run = run;
    void this.#next();
  }

  async #next(): Promise<void> {
    if (this.#run === undefined || this.#isRunning || !this.#isAsked) return;
    this.#isAsked = false;
    this.#isRunning = true;
    try {
      await this.#run();
    } finally {
      this.#isRunning = false;
    }
    await this.#next();
  }
}
