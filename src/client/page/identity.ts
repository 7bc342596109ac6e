/**
 * The user and the permissions of a token: its claims `sub` and `topics`. If it is not a JSON Web Token, or has no
 * `sub`, the token itself, so that tabs with different tokens don't share a connection.
 */
export function identityOf(token: string): string {
  const [, claims] = token.split('.');
  if (claims === undefined) return token;
  try {
    const json = atob(claims.replaceAll('-', '+').replaceAll('_', '/'));
    const { sub, topics } = JSON.parse(decodeURIComponent(escapeBytes(json))) as Record<string, unknown>;
    return typeof sub === 'string' ? JSON.stringify([sub, topics]) : token;
  } catch {
    return token;
  }
}

/** Whether the token names a user, and not the one with this identity. */
export function namesAnother(identity: string, token: string | undefined): boolean {
  const named = identityOf(token ?? '');
  return named !== token && named !== identity && !!token;
}

function escapeBytes(binary: string): string {
  return [...binary].map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
}

/** Returns the token that is known already at first, then new ones. */
export function firstThen(
  first: string | undefined,
  token: () => string | Promise<string>,
): () => string | Promise<string> {
  let known = first;
  return () => {
    const current = known;
    known = undefined;
    return current ?? token();
  };
}
