import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A proxy of the system that listens on these ports of this machine. */
export class ProxyProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Debian's nginx, with these lines for `http`. What it writes goes to the folder. */
  static async nginx(folder: string, http: string, ports: readonly number[]): Promise<ProxyProcess> {
    const file = await configure(folder, http);
    return ProxyProcess.#start('/usr/sbin/nginx', ['-c', file, '-p', folder], ports);
  }

  /** Has nginx go on with other lines for `http`. */
  async reload(folder: string, http: string): Promise<void> {
    await configure(folder, http);
    this.#child.kill('SIGHUP');
  }

  /** Debian's HAProxy, with these sections. */
  static async haproxy(folder: string, sections: string, ports: readonly number[]): Promise<ProxyProcess> {
    const file = join(folder, 'haproxy.cfg');
    const timeouts = ['connect', 'client', 'server'].map((each) => `  timeout ${each} 60s`);
    await writeFile(file, ['defaults', '  mode http', ...timeouts, sections, ''].join('\n'));
    return ProxyProcess.#start('/usr/sbin/haproxy', ['-db', '-q', '-f', file], ports);
  }

  static async #start(command: string, args: readonly string[], ports: readonly number[]) {
    const child = spawn(command, args, { stdio: 'ignore' });
    for (const port of ports) {
      while (!(await listens(port))) {
        if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
        await wait(10);
      }
    }
    return new ProxyProcess(child);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** Writes the configuration of nginx. Returns its path. */
async function configure(folder: string, http: string): Promise<string> {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${join(folder, each)};`,
  );
  const file = join(folder, 'nginx.conf');
  await writeFile(
    file,
    `user ${userInfo().username}; daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
       events { worker_connections 200; }
       http { access_log off; ${paths.join(' ')} ${http} }`,
  );
  return file;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const reached = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return reached;
}
