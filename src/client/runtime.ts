/** What the SDK needs from its surroundings. Tests inject their own; everybody else gets the platform's. */
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
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** A WHATWG WebSocket class: a browser's, Node's own (22 and newer), or the one of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => object;

export function platformRuntime(): Runtime {
  return {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
    clearTimeout: (handle) => clearTimeout(handle as number),
    fetch: globalThis.fetch?.bind(globalThis),
  };
}

/** Opens sockets of the class that was given, else of the platform's. Throws at once where there is neither. */
export function socketFactory(given?: WebSocketClass): (url: string, protocol: string) => Socket {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!found) {
    throw new TypeError(
      'This platform has no WebSocket: pass one as the option `WebSocket`, e.g. of the package ws',
    );
  }
  return (url, protocol) => new found(url, [protocol]) as Socket;
}
