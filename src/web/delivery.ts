/** The window of the message rate. */
const rateWindowMs = 10_000;
/** Percentiles are computed over this many latencies. */
const latencySamples = 200;

export interface Latency {
  readonly medianMs: number;
  readonly p95Ms: number;
}

/** Measures the delivery: messages per second, and their age on arrival. `nowMs` is on a monotonic clock. */
export class DeliveryMeter {
  #arrivalsMs: number[] = [];
  #latenciesMs: number[] = [];
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** `ageMs`: from the publication's timestamp until now, by the gateway's clock. */
  arrived(nowMs: number, ageMs: number): void {
    this.#arrivalsMs.push(nowMs);
    this.#latenciesMs.push(Math.max(0, ageMs));
    if (this.#latenciesMs.length > latencySamples) this.#latenciesMs.shift();
  }

  /** Call it after a loss of the connection: forgets what came before. */
  restart(nowMs: number): void {
    this.#arrivalsMs = [];
    this.#latenciesMs = [];
    this.#sinceMs = nowMs;
  }

  perSecond(nowMs: number): number {
    const fromMs = Math.max(this.#sinceMs, nowMs - rateWindowMs);
    this.#arrivalsMs = this.#arrivalsMs.filter((ms) => ms >= fromMs);
    return (this.#arrivalsMs.length * 1_000) / Math.max(1_000, nowMs - fromMs);
  }

  latency(): Latency | undefined {
    if (this.#latenciesMs.length === 0) return undefined;
    const sorted = [...this.#latenciesMs].sort((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
    return { medianMs: at(0.5), p95Ms: at(0.95) };
  }
}
