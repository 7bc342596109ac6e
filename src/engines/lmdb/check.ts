import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { damagedData } from './data-dir-error.ts';
import { dataName } from './folder-files.ts';

/** Exit code of the check when it has found damage. */
export const damageFound = 3;

/** Run from the source, the child needs the loader of its parent. */
const isSource = import.meta.url.endsWith('.ts');
const loader = isSource ? ['--import', 'tsx'] : [];
const script = fileURLToPath(new URL(`./check-process.${isSource ? 'ts' : 'js'}`, import.meta.url));

/**
 * Reads every record of a store in a process of its own, because a damaged file may end the process that reads it.
 * Rejects with a `DataDirError` that names the file and what is wrong with it, or with the reason of `signal`.
 */
export async function checkData(
  folder: string,
  signal?: AbortSignal,
  command: readonly string[] = [...loader, script],
): Promise<void> {
  const file = join(folder, dataName);
  const { code, by, stderr: said } = await run([...command, folder], signal);
  signal?.throwIfAborted();
  if (code === 0) return;
  const how =
    code === damageFound
      ? said.trim()
      : `the check of it ended by ${by ?? `exit code ${code}`}: ${said.trim()}`;
  throw damagedData(file, how.slice(0, 500));
}

interface CheckExit {
  readonly code: number | null;
  readonly by: NodeJS.Signals | null;
  readonly stderr: string;
}

function run(args: readonly string[], signal: AbortSignal | undefined): Promise<CheckExit> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < 10_000) stderr += text;
    });
    child.on('error', (error) => (signal?.aborted === true ? undefined : reject(error)));
    child.on('close', (code, by) => resolve({ code, by, stderr: stderr }));
  });
}
