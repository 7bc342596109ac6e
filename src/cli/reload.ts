import { type Config, ConfigError, type LiveConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { RunningGateway } from './deps.ts';

/** Loads the configuration of the command line again. Throws a `ConfigError`. */
export type LoadConfig = (warn: (sentence: string) => void) => Config;

/**
 * Reloads the configuration, applies what a running gateway can change, and logs what changed and what needs a restart.
 * An invalid configuration changes nothing.
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
    // Even without a changed option: certificates and public keys are separate files.
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

/** Runs one reload at a time. Requests during the start are merged into one, which runs after it. */
export class ReloadsInTurn {
  #run: (() => Promise<void>) | undefined;
  #isAsked = false;
  #isRunning = false;

  ask(): void {
    this.#isAsked = true;
    void this.#next();
  }

  /** The gateway has started. */
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
