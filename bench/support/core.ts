import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** The measured process runs on core 0, its load on core 1. */
export const serverCore = 0;
export const loadCore = 1;

/** Of util-linux; elsewhere nothing is pinned. */
const pinning = 'taskset';
let canPin: boolean | undefined;

export function pins(): boolean {
  canPin ??= availableParallelism() >= 2 && spawnSync(pinning, ['--version']).status === 0;
  return canPin;
}

/** For a process that another program starts. */
export function pinTo(pid: number, core: number): void {
  if (pins()) spawnSync(pinning, ['-a', '-c', '-p', String(core), String(pid)]);
}

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts Node, on one core where possible, and ends it with this process at the latest. */
export function startNode(
  core: number | undefined,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const command = [process.execPath, ...args];
  // `taskset` executes Node in its own process, so the pid is Node's.
  const [file, ...rest] = core !== undefined && pins() ? [pinning, '-c', String(core), ...command] : command;
  const child = spawn(file!, rest, options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export async function endNode(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
