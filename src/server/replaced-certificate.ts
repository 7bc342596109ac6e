import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Listening } from '../transport/uws/listen.ts';
import {
  type CertificateFiles,
  type CheckedCertificate,
  checkCertificate,
  checkSuccessor,
  expiryProblem,
  stampOf,
} from './certificate.ts';

const dayMs = 86_400_000;
/** After a failure that is not of the files, such as too few file descriptors. */
const retryMs = 60_000;

interface CertifiedPort {
  readonly files: CertificateFiles;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly monotonicMs: () => number;
  readonly listenAnew: () => Promise<Listening>;
  /** The state of the files that `listening` has read. */
  readonly stamp: string;
  readonly checked: CheckedCertificate;
  readonly listening: Listening;
}

/**
 * The certificate of a port. A new one is an app of its own that listens on the same port before the old one stops to;
 * connections of the old one stay. One that can't be used changes nothing, nor do files that were only touched: the
 * library frees no app.
 */
export class ReplacedCertificate {
  readonly #port: CertifiedPort;
  #stamp: string;
  #checked: CheckedCertificate;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.POSITIVE_INFINITY;
  #listening: Listening;
  #isStopped = false;
  /** One after the other. */
  #reloading: Promise<Error | undefined> = Promise.resolve(undefined);

  constructor(port: CertifiedPort) {
    this.#port = port;
    this.#stamp = port.stamp;
    this.#checked = port.checked;
    this.#listening = port.listening;
  }

  get validUntil(): Date {
    return this.#checked.validUntil;
  }

  sweep(): void {
    const isDue = this.#port.monotonicMs() >= this.#retryAtMs;
    if (isDue || stampOf(this.#port.files) !== this.#stamp) void this.reload();
    this.#warnOfExpiry(Date.now());
  }

  reload(): Promise<Error | undefined> {
    this.#stamp = stampOf(this.#port.files);
    this.#retryAtMs = Number.POSITIVE_INFINITY;
    this.#reloading = this.#reloading.then(() => this.#replace());
    return this.#reloading;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Once a day. */
  #warnOfExpiry(nowMs: number): void {
    const { validUntil } = this.#checked;
    const problem = nowMs - this.#warnedAtMs < dayMs ? undefined : expiryProblem(validUntil, nowMs);
    if (problem === undefined) return;
    this.#warnedAtMs = nowMs;
    this.#port.log.warn({ validUntil, certFile: this.#port.files.certFile }, problem);
  }

  async #replace(): Promise<Error | undefined> {
    const { files, log } = this.#port;
    if (this.#isStopped) return undefined;
    try {
      const checked = checkCertificate(files);
      if (checked.digest === this.#checked.digest) return undefined;
      checkSuccessor(checked, this.#checked, files, Date.now());
      const next = await this.#listenAnew();
      await aQuietTurn();
      this.#listening.stop();
      if (this.#isStopped) {
        next.stop();
        return undefined;
      }
      this.#listening = next;
      this.#checked = checked;
      this.#warnedAtMs = Number.NEGATIVE_INFINITY;
      const { validUntil } = checked;
      log.info({ validUntil, certFile: files.certFile }, 'the certificate was replaced');
      return undefined;
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      log.error({ err: error }, 'the new certificate can’t be used: the old one stays');
      return error;
    }
  }

  async #listenAnew(): Promise<Listening> {
    try {
      return await this.#port.listenAnew();
    } catch (cause) {
      this.#retryAtMs = this.#port.monotonicMs() + retryMs;
      throw cause;
    }
  }
}

/** A turn shorter than this had next to nothing to do. */
const quietTurnMs = 0.2;
/** Does not wait for a quiet turn longer than this many turns. */
const turnsMax = 500;

/**
 * Resolves at the end of a quiet turn, in which the event loop has looked at all sockets: the kernel resets the
 * connections that a listener has not accepted when it closes, and accepts none while a turn lasts.
 */
async function aQuietTurn(): Promise<void> {
  await nextTurn();
  for (let turns = 0; turns < turnsMax; turns++) {
    const startMs = performance.now();
    await nextTurn();
    if (performance.now() - startMs < quietTurnMs) return;
  }
}
