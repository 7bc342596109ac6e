import { spawn } from 'node:child_process';

/**
 * Tells systemd that the gateway is ready, if its unit has `Type=notify`. Node has no datagram sockets for files, so a
 * program of systemd does it, which needs `NotifyAccess=all`. Calls `onFailure` with the reason if it can't.
 */
export function notifySystemd(env: NodeJS.ProcessEnv, onFailure: (reason: string) => void): void {
  if (!env['NOTIFY_SOCKET']) return;
  const child = spawn('systemd-notify', ['--ready'], { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', (error) => onFailure(error.message));
  child.on('exit', (code) => {
    if (code !== 0) onFailure(`systemd-notify ended with ${code}`);
  });
}
