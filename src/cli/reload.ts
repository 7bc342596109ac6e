import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Config, ConfigError, hasCredentials, type LiveConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { RunningGateway } from '../server/running.ts';

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
    // Reading thousands of namespaces takes most of the time that a turn may take.
    await nextTurn();
    // A file that was cut off while it was written would open the gateway to all of this machine.
    if (hasCredentials(live.config) && !hasCredentials(next))
      throw new ConfigError(['no API key, token secret or keys of tokens are left: that needs a restart']);
    const { changed, needRestart } = live.take(next);
    // Even without a changed option: certificates and public keys are separate files.
    const problem = await server.reload();
    if (needRestart.length > 0) log.warn({ needRestart }, 'options that need a restart keep their values');
    const fields = { changed, certificate: problem?.message };
    if (problem === undefined) log.info({ changed }, 'the configuration was reloaded');
    else log.error(fields, 'the configuration was reloaded, but for the certificate');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error(
      { faults: error.faults },
      'the configuration was not reloaded, as it has faults: nothing changed',
    );
  }
}

/** The time of other work between two reloads, as a multiple of the time that the first one took. */
const restFactor = 9;
/** The longest rest. A reload may also take long because it waits, such as for public keys. */
const restMaxMs = 5000;

export interface ReloadClock {
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

const realClock: ReloadClock = {
  nowMs: () => performance.now(),
  after: (ms, run) => void setTimeout(run, ms).unref(),
};

/**
 * Runs one reload at a time. Requests during the start, a reload and the rest after it are merged into one: however
 * often it is asked to reload, the gateway does its other work most of the time.
 */
export class ReloadsInTurn {
  readonly #clock: ReloadClock;
  #run: (() => Promise<void>) | undefined;
  #isAsked = false;
  #isBusy = false;

  constructor(clock = realClock) {
    this.#clock = clock;
  }

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
    if (this.#run === undefined || this.#isBusy || !this.#isAsked) return;
    const { nowMs, after } = this.#clock;
    const startMs = nowMs();
    this.#isAsked = false;
    this.#isBusy = true;
    try {
      await this.#run();
    } finally {
      after(Math.min(restFactor * (nowMs() - startMs), restMaxMs), () => {
        this.#isBusy = false;
        void this.#next();
      });
    }
  }
}
