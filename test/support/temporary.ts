import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder. The run of the tests removes it with all others: see the default export. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'sluice-'));
}

/** A new file, alone in its folder. */
export function newFile(name: string, text: string): string {
  const path = join(newFolder(), name);
  writeFileSync(path, text);
  return path;
}

/** The global set-up of vitest. What the tests and their processes make among temporary files is removed in the end. */
export default function setUp(): () => void {
  const folder = newFolder();
  chmodSync(folder, 0o755);
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
