import type { Config } from '../config.ts';

/** The fields of a `ListenError` of the transport. */
interface ListenFault {
  readonly host: string;
  readonly port: number;
}

/** The address that failed, and the options that set it. */
interface Where {
  readonly host: string;
  readonly port: number;
  readonly hostFlag: string;
  readonly portFlag: string;
}

/** Why the gateway can't listen, and what to do, by the code of the system's error. */
const listenFailures: Readonly<Record<string, (where: Where) => string>> = {
  EADDRINUSE: ({ host, port, portFlag }) =>
    `Port ${port} of ${host} is taken. Choose another with ${portFlag}, or 0 for any free one.`,
  EACCES: ({ host, port, portFlag }) =>
    `Port ${port} of ${host} may not be used by this user: ports below 1024 usually need root or CAP_NET_BIND_SERVICE. ` +
    `Choose another with ${portFlag}.`,
  EADDRNOTAVAIL: ({ host, hostFlag }) =>
    `${host} is not an address of this machine. Choose one of its own with ${hostFlag}, or 0.0.0.0 for all of them.`,
  EAFNOSUPPORT: ({ host, hostFlag }) =>
    `${host} is an IPv6 address, and IPv6 is off on this machine. Choose an IPv4 address with ${hostFlag}, or 0.0.0.0 for all.`,
  EINVAL: ({ host, hostFlag }) =>
    `${host} can't be listened on: a link-local address needs its interface, as in fe80::1%eth0. Set it with ${hostFlag}.`,
  ENOTFOUND: ({ host, hostFlag }) =>
    `The host ${host} is unknown: no address has this name. Choose another with ${hostFlag}.`,
  EAI_AGAIN: ({ host, hostFlag }) =>
    `The host ${host} can't be looked up at the moment: the name server does not answer. Give an address with ${hostFlag}.`,
};

/** A worker's error has no address: then it was the port. */
function whereOf({ host, port }: Partial<ListenFault>, config: Config): Where {
  const main = { host: config.host, port: config.port, hostFlag: '--host', portFlag: '--port' };
  const others = [
    { ...main, port: config.compatPort, portFlag: '--compat-port' },
    { ...main, port: config.proxyPort, portFlag: '--proxy-port' },
    {
      host: config.adminHost || config.host,
      port: config.adminPort,
      hostFlag: config.adminHost === '' ? '--host' : '--admin-host',
      portFlag: '--admin-port',
    },
  ];
  const at = others.find((each) => each.port === port && each.host === host);
  return at?.port === undefined ? main : { ...at, port: at.port };
}

/** What is wrong with a file or folder, by the code of the system's error. */
const fileFailures: Readonly<Record<string, string>> = {
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  EROFS: 'is on a file system that is read-only',
  ENOSPC: 'is on a disk that is full',
  EDQUOT: "is over this user's disk quota",
  ENOENT: 'does not exist, and can’t be made',
  ENOTDIR: 'lies below something that is not a folder',
  EEXIST: 'exists, and is not a folder',
  ENAMETOOLONG: 'has a name that is too long',
  ELOOP: 'leads through a circle of symbolic links',
  EMFILE: "can't be opened: this process has as many files open as it may (ulimit -n)",
};

/** Why the gateway did not start, in a sentence for the person who started it. */
export function startFailure(error: unknown, config: Config): string {
  const {
    code = '',
    syscall,
    path,
    message,
  } = error instanceof Error
    ? (error as NodeJS.ErrnoException)
    : ({ message: String(error) } as NodeJS.ErrnoException);
  if (syscall === 'listen')
    return (
      listenFailures[code]?.(whereOf(error as Partial<ListenFault>, config)) ??
      `The gateway can't start: ${message}`
    );
  const failure = path === undefined ? undefined : fileFailures[code];
  if (failure !== undefined && config.engine === 'lmdb')
    return `${path} ${failure}. The data folder is ${config.dataDir} (--data-dir).`;
  if (failure !== undefined) return `${path} ${failure}.`;
  return `The gateway can't start: ${message}`;
}
