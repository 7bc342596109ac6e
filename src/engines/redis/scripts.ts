import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A script of Lua, which Redis runs atomically. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/**
 * The files of `lua/`, some with what they share in front. Their keys are declared, so that a cluster never runs half
 * of a script while it moves their slot. `REDIS.md` says what the keys hold.
 */
export const scripts = {
  bury: scriptOf('counts', 'bury'),
  commit: scriptOf('heads', 'commit'),
  count: scriptOf('counts', 'count'),
  hello: scriptOf('heads', 'hello'),
  load: scriptOf('load'),
  picture: scriptOf('picture'),
  silent: scriptOf('counts', 'silent'),
};

function scriptOf(...files: readonly string[]): Script {
  const texts = files.map((file) => readFileSync(new URL(`lua/${file}.lua`, import.meta.url), 'utf8'));
  const text = texts.join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
