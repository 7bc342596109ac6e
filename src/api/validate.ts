import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { schemaWords } from '../schema-words.ts';

/** One fault of a request: where, and what. */
interface BodyFault {
  readonly path: string;
  readonly message: string;
}

/** At most this many faults are listed; the number of all is given. */
const toldMax = 10;
const textMax = 100;

/** No valid request has as many: the schema would look at each, and report each that it does not know. */
const maxMembers = 100;

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 0;
  return Object.keys(value).length;
}

function faultsOf(issue: z.core.$ZodIssue): BodyFault[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not known here' }));
  }
  return [{ path: path.join('.'), message: issue.message }];
}

/** The value as the schema has it, or the error `invalid_request` that lists the first faults. */
export function validate<T>(schema: z.ZodType<T>, value: unknown): T | SluiceError {
  const members = countMembers(value);
  if (members > maxMembers)
    return new SluiceError(
      'invalid_request',
      `an object has ${members} members: at most ${maxMembers} are allowed`,
    );
  const result = schema.safeParse(value, { error: schemaWords });
  return result.success ? result.data : invalidRequest(result.error.issues.flatMap(faultsOf));
}

/** The same, but throws the error. */
export function validated<T>(schema: z.ZodType<T>, value: unknown): T {
  const valid = validate(schema, value);
  if (valid instanceof SluiceError) throw valid;
  return valid;
}

export function invalidRequest(faults: readonly BodyFault[]): SluiceError {
  const details = faults
    .slice(0, toldMax)
    .map(({ path, message }) => ({ path: shortened(path), message: shortened(message) }));
  const parts = details.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (faults.length > toldMax) parts.push(`and ${faults.length - toldMax} more faults`);
  return new SluiceError('invalid_request', parts.join('; '), { details });
}

function shortened(text: string): string {
  return text.length <= textMax ? text : `${text.slice(0, textMax)}…`;
}
