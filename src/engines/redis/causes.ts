import { refusesUser } from './connection.ts';
import { FormatError } from './formats.ts';

/**
 * Faults that do not pass by themselves: the data, a credential, a certificate, a scheme, a file or a database is not
 * the wanted one.
 */
export function isFinal(cause: Error): boolean {
  const { code = '' } = cause as NodeJS.ErrnoException;
  return (
    cause instanceof FormatError ||
    refusesUser(cause) ||
    finalCodes.has(code) ||
    /^ERR (?:DB index is out of range|SELECT is not allowed|This instance has cluster support disabled)/.test(
      cause.message,
    )
  );
}

const finalCodes: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'EACCES',
  'ENOENT',
  'ERR_FILE',
  'ERR_REDIS_SCHEME',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Redis reads its data, however long that takes. */
export function isLoading({ message }: Error): boolean {
  return message.startsWith('LOADING ');
}

/** Refusals that pass without a new connection. */
export function isPassing({ message }: Error): boolean {
  return /^(?:OOM|MISCONF|NOREPLICAS|NOSCRIPT|TRYAGAIN|CLUSTERDOWN|BUSY)/.test(message);
}
