import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Channel } from './channel.ts';

/** The file descriptor of the socket to the parent, in a worker. */
const channelFd = 3;
/** Set in the environment of a worker. Not `SLUICE_…`, which are options. */
const workerVariable = '_SLUICE_WORKER';

/** How the process was started: Node, its flags, the script and its arguments. */
export interface CommandLine {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts this very command line again, as a worker of this process, with the same standard output. `takesSockets`: it
 * can be sent connections.
 */
export function spawnWorker({ execPath, execArgv, argv, env }: CommandLine, takesSockets: boolean) {
  const child = spawn(execPath, [...execArgv, ...argv.slice(1)], {
    env: { ...env, [workerVariable]: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...(takesSockets ? (['ipc'] as const) : [])],
  });
  return { child, channel: new Channel(child.stdio[channelFd] as unknown as Duplex) };
}

export function isWorker(env: CommandLine['env']): boolean {
  return env[workerVariable] !== undefined;
}

/** The channel to the parent, in a process that is a worker. `gone`: resolves when the parent has ended. */
export function parentChannel(): { readonly channel: Channel; readonly gone: Promise<void> } {
  const socket = new Socket({ fd: channelFd, readable: true, writable: true });
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { channel: new Channel(socket), gone };
}
