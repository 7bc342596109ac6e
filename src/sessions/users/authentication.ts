import type { Verdict } from '../../auth/credentials.ts';
import type { Identity } from '../../auth/identity.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { credentialNeeded, SluiceError, throwIf } from '../../errors.ts';
import type { ConnectReason } from '../application.ts';
import type { CommandOptions, CommandReply, Fields } from '../commands/command.ts';
import type { Session } from '../session.ts';

// The commands `connect` and `refresh`: `introduce` and `identify` are their first parts.

export function introduce(
  session: Session,
  { token, client, capabilities }: Fields<'connect'>,
  options: CommandOptions,
): Awaitable<Verdict | undefined> {
  const { unauthenticated } = session.identity;
  // A client that is still unauthenticated was refused for a while, and may try again.
  if (session.introduction !== undefined && unauthenticated !== true)
    throw new SluiceError('already_connected');
  if (!token && unauthenticated === true) throw credentialNeeded();
  const can = (capability: string) => capabilities?.includes(capability) === true;
  session.introduce({ client, knowsDictionaries: can('dictionary'), acknowledges: can('acks') });
  return token ? verify(session, token, 'authenticate', options) : undefined;
}

export function connect(
  session: Session,
  { id }: Fields<'connect'>,
  options: CommandOptions,
  verdict: Verdict | undefined,
): CommandReply {
  if (verdict !== undefined) options.identities.identified(session, accepted(session, verdict, options));
  options.identities.greet(session, id);
  return undefined;
}

export function identify(
  session: Session,
  { token }: Fields<'refresh'>,
  options: CommandOptions,
): Awaitable<Verdict> {
  return verify(session, token, 'refresh', options);
}

/**
 * Verifies the token, asks the application, and takes a place for this connection of the user. The token may be revoked
 * meanwhile.
 */
function verify(
  session: Session,
  token: string,
  reason: ConnectReason,
  { identify, identities, application, refusal }: CommandOptions,
): Awaitable<Verdict> {
  const { connect: hook } = application;
  const decide = (verdict: Verdict) =>
    verdict instanceof SluiceError || hook === undefined
      ? verdict
      : hook({ ...session.asker, identity: verdict }, { reason, origin: '', headers: {} });
  return whenDone(whenDone(identify(token), decide), (verdict) => {
    if (verdict instanceof SluiceError) return verdict;
    if (reason === 'refresh' && verdict.user !== session.identity.user)
      throw new SluiceError('forbidden', 'the token is another user’s');
    return whenDone(identities.reseat(session, verdict), (problem) => {
      throwIf(problem);
      return refusal(verdict) ?? verdict;
    });
  });
}

export function refresh(
  session: Session,
  _: Fields<'refresh'>,
  options: CommandOptions,
  verdict: Verdict,
): CommandReply {
  const identity = accepted(session, verdict, options);
  options.identities.identified(session, identity);
  return { kind: 'refreshed', expiresMs: identity.expiresAtMs };
}

function accepted(session: Session, verdict: Verdict, { identities }: CommandOptions): Identity {
  if (!(verdict instanceof SluiceError)) return verdict;
  identities.credentialRefused(session, verdict);
  throw verdict;
}
