import type { Runtime, Socket } from '../runtime.ts';

const firstMs = 5_000;
const longestMs = 60_000;

/** Tries from time to time whether a WebSocket opens, and calls `found` when one does. Returns a function to stop. */
export function lookForWebSocket(runtime: Runtime, open: () => Socket, found: () => void): () => void {
  let waitMs = firstMs;
  let timer = runtime.setTimeout(look, waitMs);
  let stop = (): void => {};

  function look(): void {
    const socket = open();
    let isOver = false;
    const end = (opened: boolean): void => {
      if (isOver) return;
      isOver = true;
      runtime.clearTimeout(timer);
      socket.onclose = null;
      socket.close();
      waitMs = Math.min(2 * waitMs, longestMs);
      timer = runtime.setTimeout(look, waitMs);
      if (opened) found();
    };
    stop = () => end(false);
    socket.onerror = () => {};
    // The first message rather than the opening: a proxy may open a WebSocket that it never serves.
    socket.onmessage = () => end(true);
    socket.onclose = () => end(false);
    timer = runtime.setTimeout(() => end(false), firstMs);
  }

  return () => {
    stop();
    runtime.clearTimeout(timer);
  };
}
