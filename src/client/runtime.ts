import type { ClientFrame } from '../protocol/client-frames.ts';

/** What the SDK needs of its platform. Tests inject their own. */
export interface Runtime {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since any moment, with fractions, and never set back: for durations. */
  monotonicMs(): number;
  /** In [0, 1). */
  random(): number;
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
  /** Absent where the platform has none; then refused upgrades stay without a reason. */
  readonly fetch?: typeof fetch;
  /**
   * Calls `noticed` when the network comes or goes, and when the page is seen again, until the function that
   * it returns is called. Absent where the platform has no such events.
   */
  watch?(noticed: () => void): () => void;
}

export type TimerHandle = number | object;

/** The part of the WebSocket interface that the SDK uses. */
export interface Socket {
  binaryType: string;
  readonly protocol: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array | string): void;
  close(code?: number, reason?: string): void;
  /** Of a connection that takes and gives frames themselves, by other means than a WebSocket. */
  sendFrame?(frame: ClientFrame): void;
}

/** A WHATWG WebSocket class: a browser's, Node's own (22 and newer), or the one of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => object;

/** A longer timer would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export function platformRuntime(): Runtime {
  return {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    setTimeout: (callback, delayMs) => setTimeout(callback, Math.min(delayMs, longestTimerMs)),
    clearTimeout: (handle) => clearTimeout(handle as number),
    fetch: globalThis.fetch?.bind(globalThis),
    watch: watchPage,
  };
}

/** The events of a page or worker; in Node there are none. */
function watchPage(noticed: () => void): () => void {
  const page = globalThis as Partial<EventTarget> & { document?: EventTarget & { visibilityState?: string } };
  const seen = (): void => {
    if (page.document?.visibilityState !== 'hidden') noticed();
  };
  const each = (method: 'addEventListener' | 'removeEventListener'): void => {
    for (const name of ['online', 'offline']) page[method]?.(name, noticed);
    page[method]?.('pageshow', seen);
    for (const name of ['visibilitychange', 'resume']) page.document?.[method]?.(name, seen);
  };
  each('addEventListener');
  return () => each('removeEventListener');
}

/**
 * Opens sockets of the class that was given, else of the platform's. Throws at once where there is neither.
 */
export function socketFactory(given?: WebSocketClass): (url: string, protocol: string) => Socket {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!found) {
    throw new TypeError('Pass the option WebSocket');
  }
  return (url, protocol) => new found(url, [protocol]) as Socket;
}
