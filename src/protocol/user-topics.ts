const userPrefix = 'user:';

/** Characters of topic names, without `%`, which begins an escape. */
const plainCharacter = /[A-Za-z0-9_\-.:/@]/;
const otherCharacters = /[^A-Za-z0-9_\-.:/@%]+/gu;

/**
 * The name of the topic of this user: characters that names of topics can't have, and `%`, are percent-encoded, and no
 * others, so that `alice@example.org` is `user:alice@example.org`. Undefined: the user is no text that UTF-8 can write.
 */
export function userTopicName(user: string): string | undefined {
  const encoded = encodeOthers(user.replaceAll('%', '%25'));
  return encoded === undefined ? undefined : userPrefix + encoded;
}

/**
 * The one spelling of the name of a topic or pattern. Only topics of users have several: there `%40` and `@`, `%c3` and
 * `%C3`, a space and `%20` mean the same, and a `%` that begins no escape means itself. All other names are returned as
 * they are. To be called by every door, before anything is compared with the name.
 */
export function canonicalTopic(name: string): string {
  if (!name.startsWith(userPrefix)) return name;
  const rest = name.slice(userPrefix.length);
  if (!rest.endsWith('*')) return userPrefix + canonicalRest(rest);
  // A pattern may end within an escape: the escaped character may continue there.
  const [, whole = '', cut = ''] = /^(.*?)(%[0-9A-Fa-f]?)?\*$/s.exec(rest) ?? [];
  return `${userPrefix}${canonicalRest(whole)}${cut.toUpperCase()}*`;
}

function canonicalRest(text: string): string {
  const escaped = text.replace(/%([0-9A-Fa-f]{2})?/g, (found, hex: string | undefined) => {
    if (hex === undefined) return '%25';
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return plainCharacter.test(character) ? character : found.toUpperCase();
  });
  // What can't be encoded is for the grammar to refuse.
  return encodeOthers(escaped) ?? text;
}

function encodeOthers(text: string): string | undefined {
  try {
    // These it leaves alone, and the grammar of topics has none of them.
    return text.replace(otherCharacters, (found) =>
      encodeURIComponent(found).replace(/[!'()*~]/g, hexEscape),
    );
  } catch {
    return undefined; // A lone surrogate.
  }
}

function hexEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
