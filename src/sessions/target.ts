import { SluiceError } from '../errors.ts';
import { isPattern, patternProblem, topicProblem } from '../topics/topic-name.ts';

/** Why this text names neither a topic nor a pattern; undefined: it does. */
export function targetProblem(target: string): SluiceError | undefined {
  const problem = isPattern(target) ? patternProblem(target) : topicProblem(target);
  return problem === undefined ? undefined : new SluiceError('invalid_topic', problem);
}
