import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds `dist` if a source is newer, because what ships is measured. */
export function buildGateway(say: (line: string) => void): void {
  const built = join(root, 'dist', 'cli.js');
  if (existsSync(built) && statSync(built).mtimeMs > newestSourceMs()) return;
  say('building the gateway');
  execFileSync('npm', ['run', '--silent', 'build:node'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function newestSourceMs(): number {
  const source = join(root, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
  return Math.max(...files.map((file) => statSync(join(source, file)).mtimeMs));
}
