import { InvalidArgumentError } from 'commander';
import type { Filter } from '../protocol/frames.ts';

// Parsers of flag values, for commander.

/** Adds the NAME=VALUE of a repeatable flag. */
export function collectTags(
  value: string,
  tags: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('A tag is NAME=VALUE.');
  return { ...tags, [value.slice(0, at)]: value.slice(at + 1) };
}

export function parseFilter(text: string): Filter {
  try {
    return JSON.parse(text) as Filter;
  } catch {
    throw new InvalidArgumentError('A filter is JSON: {"op":"eq","tag":"region","value":"eu"}.');
  }
}

/** An integer of at least 1. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return count;
}
