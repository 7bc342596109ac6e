import { commandKinds } from './client-frames.ts';
import { serverKinds } from './server-frames.ts';

/** The names of commands and of kinds of frames ("caughtUp", "caught_up"): no types of publications. */
const controlNames: ReadonlySet<string> = new Set(
  [...commandKinds, ...serverKinds].flatMap((name) => [name, snakeCase(name)]),
);

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const publicationType = /^[A-Za-z0-9_\-.:]{1,64}$/;

/** The last good type: most publications have the type of the one before (`bench -- http`). */
let lastGood = '';

/** What is wrong with the type of a publication (error `invalid_type`); undefined: nothing. */
export function publicationTypeProblem(type: string): string | undefined {
  if (type === lastGood && type !== '') return undefined;
  if (!publicationType.test(type)) return 'a type is 1-64 characters of A-Z a-z 0-9 _ - . :';
  if (controlNames.has(type)) return `"${type}" is the name of a control frame`;
  lastGood = type;
  return undefined;
}
