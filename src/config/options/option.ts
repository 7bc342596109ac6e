import { integer, type Kind, text } from '../values.ts';

export const KiB = 2 ** 10;
export const MiB = 2 ** 20;
export const count = integer(1, 10_000_000);
export const filePath = text('FILE', (value) => !value.includes('\0'), 'must be the path of a file');

/** The fault of an item of a list that is not valid. */
export const unless = (isValid: (item: string) => boolean, fault: string) => (item: string) =>
  isValid(item) ? undefined : fault;

/** A row of the table of options. */
export interface Spec<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly sentence: string;
  /** Never printed, also not in faults. */
  readonly secret?: true;
  /** Instead of the one made from the name. */
  readonly flag?: string;
  /** A running gateway can change it. All others hold until it is restarted. */
  readonly reloads?: true;
}

type More<T> = Pick<Spec<T>, 'secret' | 'flag'>;

/** An option that holds until the gateway is restarted. */
export function option<T>(kind: Kind<T>, value: T, sentence: string, more: More<T> = {}): Spec<T> {
  return { kind, default: value, sentence, ...more };
}

/** An option that a running gateway can change. */
export function liveOption<T>(kind: Kind<T>, value: T, sentence: string, more: More<T> = {}): Spec<T> {
  return { ...option(kind, value, sentence, more), reloads: true };
}
