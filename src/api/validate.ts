import type { z } from 'zod';
import { SluiceError } from '../errors.ts';

/** One fault of a request: where, and what. */
interface Fault {
  readonly path: string;
  readonly message: string;
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not known here' }));
  }
  return [{ path: path.join('.'), message: issue.message }];
}

/** The value as the schema has it, or the error `invalid_request` that lists every fault. */
export function validate<T>(schema: z.ZodType<T>, value: unknown): T | SluiceError {
  const result = schema.safeParse(value);
  return result.success ? result.data : invalidRequest(result.error.issues.flatMap(faultsOf));
}

export function invalidRequest(faults: readonly Fault[]): SluiceError {
  const message = faults
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return new SluiceError('invalid_request', message, { details: faults });
}
