import { canonicalTopic } from '../protocol/user-topics.ts';

/** The grammar of topic names and patterns. Each check returns what is wrong, or undefined. */

export const topicNameMaxLength = 200;

const allowed = /^\$?[A-Za-z0-9_\-.:/@%]+$/;

/** Sluice's own topic of broadcasts, which every session joins. */
export const broadcastTopic = '$all';

/** Values of Sluice's own: the tokens that are revoked. */
export const revocationsTopic = '$revoked';

/** What is wrong with this name of a topic. Names that begin with `$` are well-formed, but only Sluice's own. */
export function topicProblem(name: string): string | undefined {
  if (name.length === 0) return 'a topic name must not be empty';
  if (name.length > topicNameMaxLength) return `a topic name has at most ${topicNameMaxLength} characters`;
  if (!allowed.test(name)) return 'a topic name is made of A-Z a-z 0-9 _ - . : / @ %';
  if (hasDotSegment(name)) return 'no segment of a topic name may be "." or ".."';
  if (canonicalTopic(name) !== name) return `this topic of a user is written ${canonicalTopic(name)}`;
  return undefined;
}

/** A pattern is a prefix (it may be empty) and one trailing `*`, which matches any characters. */
export function isPattern(name: string): boolean {
  return name.endsWith('*');
}

/** What every topic of the pattern begins with. */
export function prefixOf(pattern: string): string {
  return pattern.slice(0, -1);
}

/** Why this names neither a topic nor a pattern; undefined: it does. */
export function nameProblem(name: string): string | undefined {
  return isPattern(name) ? patternProblem(name) : topicProblem(name);
}

export function patternProblem(pattern: string): string | undefined {
  if (!isPattern(pattern)) return 'a pattern ends with "*"';
  const prefix = prefixOf(pattern);
  if (prefix === '') return undefined;
  if (prefix.includes('*')) return 'a pattern has one "*", at its end';
  if (prefix.length > topicNameMaxLength)
    return `a pattern has at most ${topicNameMaxLength} characters before "*"`;
  if (canonicalTopic(pattern) !== pattern) return `this pattern is written ${canonicalTopic(pattern)}`;
  if (!allowed.test(prefix)) return 'a pattern is made of A-Z a-z 0-9 _ - . : / @ % and one trailing "*"';
  return undefined;
}

/** Patterns reach application topics only: Sluice's own begin with `$` and are joined by name. */
export function patternMatches(pattern: string, topic: string): boolean {
  return patternMatcher(pattern)(topic);
}

/** The same for many topics. */
function patternMatcher(pattern: string): (topic: string) => boolean {
  const prefix = prefixOf(pattern);
  const isReservedToo = isReserved(pattern);
  return (topic) => topic.startsWith(prefix) && (isReservedToo || !isReserved(topic));
}

/** The topics with content that the pattern matches. */
export function* matching<T extends { readonly name: string; readonly epoch: string }>(
  pattern: string,
  topics: Iterable<T>,
): Generator<T, void, undefined> {
  const matches = patternMatcher(pattern);
  for (const topic of topics) if (matches(topic.name) && topic.epoch !== '') yield topic;
}

/** Whether every topic of `other`, a topic or pattern, is one of this topic's or pattern's. */
export function reaches(target: string, other: string): boolean {
  return target === other || (isPattern(target) && patternMatches(target, other));
}

export function isReserved(name: string): boolean {
  return name.startsWith('$');
}

function hasDotSegment(name: string): boolean {
  if (!name.includes('.')) return false;
  // The name within a namespace may be an application's own, which makes a path of it: `job:../etc`.
  return name.split(/[/:]/).some((segment) => segment === '.' || segment === '..');
}
