import type { ClientFrame } from '../protocol/client-frames.ts';

/** What the SDK needs from its platform. Tests inject their own. */
export interface Runtime {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since an arbitrary moment, with fractions, never set back: for durations. */
  monotonicMs(): number;
  /** In [0, 1). */
  random(): number;
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  /** Ignores `undefined`. */
  clearTimeout(handle: TimerHandle | undefined): void;
  /** Absent if the platform has none: then the client can't learn why an upgrade was refused. */
  readonly fetch?: typeof fetch;
  /**
   * Calls `noticed` when the network comes or goes and when the page becomes visible. Returns a function to stop.
   * Absent if the platform has no such events.
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
  /** Sends the frame itself rather than bytes: over HTTP. Such a socket also receives frames. */
  sendFrame?(frame: ClientFrame): void;
}

/** A WHATWG WebSocket class: a browser's, Node's own (22 and newer), or the one of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => object;

/** Platforms fire a longer timer at once. */
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

/** Listens to the events of a page or worker. In Node there are none. */
function watchPage(noticed: () => void): () => void {
  const page = globalThis as Partial<EventTarget> & { document?: { visibilityState?: string } };
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (/line$/.test(type) || page.document?.visibilityState !== 'hidden') noticed();
  };
  const each = (method: 'addEventListener' | 'removeEventListener'): void => {
    // Those of the document are captured on their way to it.
    for (const name of ['online', 'offline', 'pageshow', 'visibilitychange', 'resume'])
      page[method]?.(name, onEvent, true);
  };
  each('addEventListener');
  return () => each('removeEventListener');
}

/** Returns a function that opens sockets, of the given class or the platform's own. Throws if there is neither. */
export function socketFactory(given?: WebSocketClass): (url: string, protocol: string) => Socket {
  const SocketClass = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (typeof SocketClass !== 'function') throw new TypeError('Pass the option WebSocket');
  return (url, protocol) => new SocketClass(url, [protocol]) as Socket;
}
