import { type HTMLAttributes, type ReactNode, useEffect, useState } from 'react';
import { type Connection, useConnection } from './hooks.ts';

/**
 * Tells people and screen readers whether the page is live. If it is not, it says why, and has a button to reconnect at
 * once.
 */
export function ConnectionStatus(props: HTMLAttributes<HTMLSpanElement>): ReactNode {
  const connection = useConnection();
  const seconds = useSecondsUntil(connection.retryAtMs);
  const canRetry = connection.state === 'closed' || seconds !== undefined;
  return (
    <span role="status" data-state={connection.state} {...props}>
      {describe(connection, seconds)}
      {canRetry && (
        <>
          {' '}
          <button type="button" onClick={connection.retry}>
            Try now
          </button>
        </>
      )}
    </span>
  );
}

function describe({ state, why }: Connection, seconds: number | undefined): string {
  const because = why ? `: ${why}` : '';
  switch (state) {
    case 'idle':
      return 'Not connected';
    case 'connecting':
      return 'Connecting…';
    case 'connected':
      return 'Live';
    case 'reconnecting':
      return seconds === undefined
        ? `Reconnecting${because}`
        : `Offline${because}. Next attempt in ${seconds} s`;
    case 'closed':
      return `Disconnected${because}`;
  }
}

/** Whole seconds until then, counted down; undefined: without `atMs`. */
function useSecondsUntil(atMs: number | undefined): number | undefined {
  const [, tick] = useState(0);
  useEffect(() => {
    if (atMs === undefined) return;
    const timer = setInterval(() => tick((ticks) => ticks + 1), 1000);
    return () => clearInterval(timer);
  }, [atMs]);
  return atMs === undefined ? undefined : Math.max(0, Math.ceil((atMs - Date.now()) / 1000));
}
