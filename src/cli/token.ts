import { SignJWT } from 'jose';
import { type TopicAction, topicActions } from '../auth/identity.ts';
import { userProblem } from '../auth/permissions.ts';
import type { Config } from '../config.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { nameProblem } from '../topics/topic-name.ts';
import { Exit } from './deps.ts';

export interface TokenFlags extends Partial<Readonly<Record<TopicAction, readonly string[]>>> {
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
  const listed = (action: TopicAction) => (flags[action] ?? []).map(canonicalTopic);
  const patterns = [...new Set(topicActions.flatMap(listed))];
  for (const pattern of patterns) {
    const problem = nameProblem(pattern);
    if (problem) throw new Exit(2, `${JSON.stringify(pattern)}: ${problem}.`);
  }
  const topics = patterns.map((pattern) => ({
    pattern,
    allow: topicActions.filter((action) => listed(action).includes(pattern)),
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
