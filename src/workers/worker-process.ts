import { spawn } from 'node:child_process';
import { type ConnectOpts, type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { Slabs } from '../protocol/slabs.ts';
import { Channel } from './channel.ts';

/** The file descriptor of the socket to the parent, in a worker. */
const channelFd = 3;
/** Set in the environment of a worker. Not `SLUICE_…`, which are options. */
const workerVariable = '_SLUICE_WORKER';

/** How much a worker reads at once. */
const readMaxBytes = 64 * 1024;
const slabBytes = 16 * 1024;

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
  const options: SocketConstructorOpts & ConnectOpts = {
    fd: channelFd,
    readable: true,
    writable: true,
    onread: readsInOneBuffer((bytes) => channel.read(bytes)),
  };
  const socket = new Socket(options);
  const channel = new Channel(socket);
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { channel, gone };
}

/** Node would allocate 64 KiB for each read, which costs about 20 us a publication (`bench -- workers`). */
function readsInOneBuffer(read: (bytes: Buffer) => void): OnReadOpts {
  const slabs = new Slabs(slabBytes);
  return {
    buffer: new Uint8Array(readMaxBytes),
    callback(length, buffer) {
      const bytes = slabs.take(length);
      bytes.set(buffer.subarray(0, length));
      read(Buffer.from(bytes.buffer, bytes.byteOffset, length));
      return true;
    },
  };
}
