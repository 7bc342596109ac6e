import { SluiceError } from '../../errors.ts';
import { nameProblem } from '../../topics/topic-name.ts';

/** Why this text names neither a topic nor a pattern; undefined: it does. */
export function targetProblem(target: string): SluiceError | undefined {
  const problem = nameProblem(target);
  return problem === undefined ? undefined : new SluiceError('invalid_topic', problem);
}
