import { SignJWT } from 'jose';
import { userProblem } from '../auth/permissions.ts';
import type { Config } from '../config.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { isPattern, patternProblem, topicProblem } from '../topics/topic-name.ts';
import { Exit } from './deps.ts';

const actions = ['subscribe', 'publish', 'presence'] as const;

export interface TokenFlags extends Partial<Readonly<Record<(typeof actions)[number], readonly string[]>>> {
  readonly sub?: string;
  readonly exp: string;
}

/** A token of the claims that the gateway reads: sub, exp, topics. */
export async function mintToken(flags: TokenFlags, config: Pick<Config, 'tokenSecret'>): Promise<string> {
  if (config.tokenSecret === undefined) {
    throw new Exit(
      2,
      'A secret to sign with is missing: set SLUICE_TOKEN_SECRET, or tokenSecret in the file.',
    );
  }
  const listed = (action: (typeof actions)[number]) => (flags[action] ?? []).map(canonicalTopic);
  const patterns = [...new Set(actions.flatMap(listed))];
  for (const pattern of patterns) {
    const problem = isPattern(pattern) ? patternProblem(pattern) : topicProblem(pattern);
    if (problem) throw new Exit(2, `${JSON.stringify(pattern)}: ${problem}.`);
  }
  const topics = patterns.map((pattern) => ({
    pattern,
    allow: actions.filter((action) => listed(action).includes(pattern)),
  }));
  const userFault = flags.sub === undefined ? undefined : userProblem(flags.sub);
  if (userFault !== undefined) throw new Exit(2, `--sub ${userFault}.`);
  const token = new SignJWT({ topics }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setIssuedAt();
  if (flags.sub !== undefined) token.setSubject(flags.sub);
  try {
    token.setExpirationTime(flags.exp);
  } catch (error) {
    throw new Exit(2, '--exp must be a time like 30m, 1h or 7d.', error);
  }
  return token.sign(Buffer.from(config.tokenSecret));
}
