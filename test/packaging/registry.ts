import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** A package as it is installed in node_modules. */
interface Installed {
  readonly manifest: Manifest;
  readonly folder: string;
  /** The registry has only its name and version: it is not needed, and takes long to install. */
  readonly isStub: boolean;
}

/**
 * A package registry that serves what is installed in node_modules, and nothing else. An install from it needs no
 * network and can't be mended by what others have published meanwhile.
 */
export class LocalRegistry {
  readonly url: string;
  readonly #server: Server;
  readonly #packages: ReadonlyMap<string, readonly Installed[]>;

  private constructor(server: Server, packages: ReadonlyMap<string, readonly Installed[]>) {
    this.#server = server;
    this.#packages = packages;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(root: string, stubs: ReadonlySet<string>): Promise<LocalRegistry> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registry = new LocalRegistry(server, installedPackages(root, stubs));
    server.on('request', async (request, response) => {
      const [, name = '', version] =
        /^\/([^?]+?)(?:\/-\/([^/]+)\.tar)?(?:\?.*)?$/.exec(request.url ?? '') ?? [];
      const versions = registry.#packages.get(decodeURIComponent(name));
      const wanted = versions?.find(({ manifest }) => manifest.version === version);
      if (versions === undefined) {
        response.writeHead(404).end('{}');
      } else if (wanted === undefined) {
        response.end(JSON.stringify(registry.#packument(versions)));
      } else {
        await pipeline(tarOf(wanted), response);
      }
    });
    return registry;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #packument(versions: readonly Installed[]): unknown {
    const { name, version: latest } = versions[0]!.manifest;
    const entries = versions.map(({ manifest, isStub }) => {
      const tarball = `${this.url}/${name}/-/${manifest.version}.tar`;
      const shown = isStub ? { name, version: manifest.version } : manifest;
      return [manifest.version, { ...shown, dist: { tarball } }];
    });
    return { name, 'dist-tags': { latest }, versions: Object.fromEntries(entries) };
  }
}

/** By name, all versions: packages can be there several times, within others. */
function installedPackages(root: string, stubs: ReadonlySet<string>): Map<string, Installed[]> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly link?: boolean }>>;
  };
  const packages = new Map<string, Installed[]>();
  for (const [path, { link }] of Object.entries(lock.packages)) {
    const folder = join(root, path);
    if (!path.startsWith('node_modules/') || link === true || !existsSync(join(folder, 'package.json')))
      continue;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    const versions = packages.get(manifest.name) ?? [];
    versions.push({ manifest, folder, isStub: stubs.has(manifest.name) });
    packages.set(manifest.name, versions);
  }
  return packages;
}

/** Without the binaries for other systems and versions of Node, which are most of what there is to copy. */
function tarOf({ folder, isStub }: Installed) {
  const binary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  const hasBinaries = existsSync(join(folder, binary));
  const files = isStub ? ['package.json'] : ['--exclude=./node_modules', '--exclude=./uws_*.node', '.'];
  const args = ['--create', '--directory', folder, String.raw`--transform=s,^\(\./\)\?,package/,`, ...files];
  if (hasBinaries) args.push(`--add-file=${binary}`);
  return spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout;
}
