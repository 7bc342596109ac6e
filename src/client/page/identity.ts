/**
 * Who a token says that its holder is, and what it allows: its claims `sub` and `topics`. Of what is no JSON Web Token,
 * or has no `sub`, the token itself, so that tabs with different ones don't share.
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

function escapeBytes(binary: string): string {
  return [...binary].map((char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
}

/** The token that was asked for already, then new ones. */
export function firstThen(
  first: string | undefined,
  token: () => string | Promise<string>,
): () => string | Promise<string> {
  let known = first;
  return () => {
    const taken = known;
    known = undefined;
    return taken ?? token();
  };
}
