import { readFileSync } from 'node:fs';

const everyMs = 500;

/**
 * npm runs a script in a shell, and passes a signal to the shell alone, which ends without its children: only
 * `exec sluice serve` in the script itself helps. Calls `ended` when both shell and npm are gone. A script that leaves
 * the gateway running while npm goes on (`sluice serve & …` before a test) loses its shell only.
 */
export function watchNpm(env: Readonly<Record<string, string | undefined>>): (ended: () => void) => void {
  if (env['npm_lifecycle_event'] === undefined) return () => undefined;
  const shell = process.ppid;
  const npm = parentOf(shell);
  return (ended) => {
    const timer = setInterval(() => {
      if (process.ppid === shell || npm === undefined || parentOf(npm) !== undefined) return;
      clearInterval(timer);
      ended();
    }, everyMs).unref();
  };
}

/** Undefined: there is no such process (or no /proc). */
function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  } catch {
    return undefined;
  }
}
