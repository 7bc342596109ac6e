import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { newFolder } from '../support/temporary.ts';
import { LocalRegistry } from './registry.ts';

const run = promisify(execFile);
const notInTheTree = ['node_modules', 'dist', 'coverage', 'data', '.git'];

/** A folder for packages, trees and installs, and a registry to install from. Dispose of it. */
export class Workshop {
  readonly registry: LocalRegistry;
  readonly #folder: string;
  readonly #root: string;

  private constructor(root: string, registry: LocalRegistry) {
    this.#root = root;
    this.registry = registry;
    this.#folder = newFolder();
  }

  static async open(root: string, stubs: ReadonlySet<string>): Promise<Workshop> {
    return new Workshop(root, await LocalRegistry.start(root, stubs));
  }

  close(): void {
    this.registry.close();
  }

  /**
   * Has npm pack what an address names. From a git repository it does so as for `npm install` of one: it clones the
   * repository, installs what its build needs, and builds. Returns the tarball's path.
   */
  async packed(address: string): Promise<string> {
    const { stdout } = await this.run(this.#folder, 'npm', 'pack', '--json', address);
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    return join(this.#folder, filename);
  }

  /**
   * Commits a copy of the tree to a repository of its own. Returns its address for npm. The lock file is left out: it
   * has the checksums of the packages of another registry.
   */
  async repository(): Promise<string> {
    const tree = this.#copyOfTree('repository');
    rmSync(join(tree, 'package-lock.json'));
    await this.run(tree, 'git', 'init', '--quiet');
    await this.run(tree, 'git', 'add', '--all');
    const author = ['-c', 'user.name=Sluice', '-c', 'user.email=sluice@example.org'];
    await this.run(tree, 'git', ...author, 'commit', '--quiet', '--message', 'Everything');
    return `git+file://${tree}`;
  }

  /** A folder with what the Dockerfile copies before it builds, and no more, and with what is built of that. */
  async builtImageTree(): Promise<string> {
    const tree = this.#copyOfImageTree();
    await this.run(tree, 'npm', 'run', '--silent', 'build');
    return tree;
  }

  #copyOfImageTree(): string {
    const tree = join(this.#folder, 'image');
    const taken = readFileSync(join(this.#root, '.dockerignore'), 'utf8').split('\n');
    const [copying = ''] = readFileSync(join(this.#root, 'Dockerfile'), 'utf8').split('RUN npm run build');
    for (const [, paths = ''] of copying.matchAll(/^COPY (.+)$/gm)) {
      const sources = paths.split(' ');
      const target = join(tree, sources.pop()!);
      for (const source of sources) {
        const [top = ''] = source.split('/');
        if (!taken.includes(`!${top}`)) throw new Error(`.dockerignore leaves out ${source}`);
        const isFolder = statSync(join(this.#root, source)).isDirectory();
        this.#copy(source, isFolder ? target : join(target, basename(source)));
      }
    }
    symlinkSync(join(this.#root, 'node_modules'), join(tree, 'node_modules'));
    return tree;
  }

  /** Installs into a folder in which nothing is. Returns the folder. */
  async install(name: string, what: string): Promise<string> {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    await this.run(folder, 'npm', 'install', '--no-audit', '--no-fund', what);
    return folder;
  }

  /** With nothing of the surroundings but where programs are: npm tells the scripts that it runs how to go on. */
  async run(cwd: string, command: string, ...args: readonly string[]) {
    const env = {
      PATH: process.env['PATH'],
      HOME: this.#folder,
      npm_config_registry: this.registry.url,
      npm_config_cache: join(this.#folder, '.npm'),
      npm_config_update_notifier: 'false',
    };
    return run(command, args, { cwd, env, maxBuffer: 64 * 2 ** 20 });
  }

  #copyOfTree(name: string): string {
    const tree = join(this.#folder, name);
    this.#copy('.', tree);
    return tree;
  }

  #copy(source: string, target: string): void {
    const isOfTree = (path: string) =>
      !relative(this.#root, path)
        .split('/')
        .some((part) => notInTheTree.includes(part));
    cpSync(join(this.#root, source), target, { recursive: true, filter: isOfTree });
  }
}
