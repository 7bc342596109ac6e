import { isWellFormed, utf8 } from './utf8.ts';

const userPrefix = 'user:';

const plainCharacter = /[\w\-.:/@]/;
const otherCharacters = /[^\w\-.:/@]+/gu;
/**
 * An escape; the end of a pattern, perhaps within an escape, which the escaped character may continue; a `%` that
 * begins none; or a character that names of topics can't have.
 */
const escapesAndOthers = /%([0-9A-Fa-f]{2})|((?:%[0-9A-Fa-f]?)?\*$)|[^\w\-.:/@]/gu;

/**
 * The name of the topic of this user: characters that names of topics can't have, and `%`, are percent-encoded, and no
 * others, so that `alice@example.org` is `user:alice@example.org`. Undefined: the user is no text that UTF-8 can write.
 */
export function userTopicName(user: string): string | undefined {
  return isWellFormed(user) ? userPrefix + user.replace(otherCharacters, encode) : undefined;
}

/**
 * The one spelling of the name of a topic or pattern. Only topics of users have several: there `%40` and `@`, `%c3` and
 * `%C3`, a space and `%20` mean the same, and a `%` that begins no escape means itself. All other names are returned as
 * they are. To be called by every door, before anything is compared with the name.
 */
export function canonicalTopic(name: string): string {
  // What can't be encoded is for the grammar to refuse.
  if (!name.startsWith(userPrefix) || !isWellFormed(name)) return name;
  return name.replace(escapesAndOthers, (found, hex, end) => {
    if (!(hex || end)) return encode(found);
    const character = String.fromCharCode(Number(`0x${hex}`));
    return plainCharacter.test(character) ? character : found.toUpperCase();
  });
}

/** Each byte as `%` and two digits. */
function encode(found: string): string {
  const digits = (byte: number): string => `%${byte < 16 ? 0 : ''}${byte.toString(16)}`;
  return Array.from(utf8(found), digits).join('').toUpperCase();
}
