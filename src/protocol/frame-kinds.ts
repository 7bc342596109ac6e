import { type CommandKind, replyKinds, type ServerKind } from './frames.ts';

const kinds: Record<ServerKind, true> = {
  connected: true,
  subscribed: true,
  unsubscribed: true,
  published: true,
  history: true,
  presence: true,
  status: true,
  refreshed: true,
  pong: true,
  result: true,
  error: true,
  batch: true,
  reset: true,
  snapshot: true,
  joined: true,
  left: true,
  lagging: true,
  caughtUp: true,
  message: true,
  goingAway: true,
  dictionary: true,
};

export const commandKinds = Object.keys(replyKinds) as CommandKind[];
export const serverKinds = Object.keys(kinds) as ServerKind[];

export function isCommandKind(name: string): name is CommandKind {
  return Object.hasOwn(replyKinds, name);
}

export function isServerKind(name: string): name is ServerKind {
  return Object.hasOwn(kinds, name);
}

const controlNames: ReadonlySet<string> = new Set(
  [...commandKinds, ...serverKinds].flatMap((name) => [name, snakeCase(name)]),
);

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Whether it is the name of a command or of a kind of frame ("caughtUp", "caught_up"): no type of a publication. */
export function isControlName(name: string): boolean {
  return controlNames.has(name);
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
