/**
 * Generates what the gateway uses of `gateway.proto`: decoders of what clients send, and encoders of what it sends.
 * pbjs is given the messages of one direction at a time; its own `--filter` takes no package with a dot in its name.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';

const { nested: messages = {} } = protobuf.loadSync('proto/gateway.proto').lookup('sluice.v1')!.toJSON();

/** The messages and enums that a field of `name` may hold, at any depth, with `name` itself first. */
function reachable(name: string, seen = new Set<string>()): Set<string> {
  if (!(name in messages) || seen.has(name)) return seen;
  seen.add(name);
  const { fields = {} } = messages[name] as Partial<protobuf.IType>;
  for (const { type } of Object.values(fields)) reachable(type, seen);
  return seen;
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-proto-'));

function generate(root: string, file: string, without: string): void {
  const only = [...reachable(root)].map((name) => [name, messages[name]]);
  const schema = join(folder, `${file}.json`);
  writeFileSync(schema, JSON.stringify({ nested: Object.fromEntries(only) }));
  const path = `src/protocol/protobuf/${file}.gen`;
  const format = ['-t', 'static-module', '-w', 'esm', '--dependency', 'protobufjs/minimal.js', '-r', file];
  const leaveOut = [without, 'service', 'create', 'convert', 'delimited', 'typeurl', 'verify'];
  const options = ['--force-number', ...leaveOut.map((each) => `--no-${each}`), '-o', `${path}.js`];
  execFileSync('pbjs', [...format, ...options, schema]);
  // The types are made from the comments, which the code is then without.
  execFileSync('pbts', ['--no-comments', '-o', `${path}.d.ts`, `${path}.js`]);
  execFileSync('pbjs', [...format, ...options, '--no-comments', schema]);
}

generate('ClientFrame', 'from-client', 'encode');
generate('ServerFrame', 'to-client', 'decode');
rmSync(folder, { recursive: true });
