import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { FileError, readRegularFile } from '../regular-file.ts';

/** The files of a certificate (PEM, with its chain) and of its private key. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Why a certificate can't be used. `path`: the file at fault. */
class CertificateError extends Error {
  readonly code = 'ERR_CERTIFICATE';
  readonly path: string;

  constructor(path: string, message: string, cause?: unknown) {
    super(`${path}: ${message}`, { cause });
    this.name = 'CertificateError';
    this.path = path;
  }
}

/** Changes when the files do. */
export function stampOf({ certFile, keyFile }: CertificateFiles): string {
  return [certFile, keyFile].map(stampOfFile).join(' ');
}

function stampOfFile(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return 'absent';
  }
}

export interface CheckedCertificate {
  readonly validUntil: Date;
  /** Identifies it. */
  readonly digest: string;
}

/** Throws a `CertificateError` unless the files hold a certificate and its own key. */
export function checkCertificate({ certFile, keyFile }: CertificateFiles): CheckedCertificate {
  const cert = read(certFile);
  const key = read(keyFile);
  const certificate = attempt(certFile, 'this is no certificate in PEM', () => new X509Certificate(cert));
  const privateKey = attempt(keyFile, 'this is no private key in PEM', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey))
    throw new CertificateError(keyFile, `this is not the key of the certificate in ${certFile}`);
  attempt(certFile, 'the certificate and its key can’t be used for TLS', () =>
    createSecureContext({ cert, key }),
  );
  const digest = createHash('sha256').update(cert).update(key).digest('base64');
  return { validUntil: new Date(certificate.validTo), digest };
}

/** Throws a `CertificateError` for a successor that has expired, while the certificate in use has not. */
export function checkSuccessor(
  next: CheckedCertificate,
  current: CheckedCertificate,
  { certFile }: CertificateFiles,
  nowMs: number,
): void {
  if (next.validUntil.getTime() < nowMs && nowMs <= current.validUntil.getTime())
    throw new CertificateError(certFile, `the certificate has expired on ${next.validUntil.toISOString()}`);
}

/** A certificate that is renewed by itself is renewed earlier. */
const soonDays = 14;
const dayMs = 86_400_000;

/** What to warn of; undefined: it is valid for a good while. */
export function expiryProblem(validUntil: Date, nowMs: number): string | undefined {
  const days = (validUntil.getTime() - nowMs) / dayMs;
  if (days < 0) return 'the certificate has expired: clients refuse it';
  if (days >= soonDays) return undefined;
  return `the certificate expires ${days < 2 ? 'within two days' : `in ${Math.floor(days)} days`}`;
}

function read(path: string): Buffer {
  return attempt(path, 'the file can’t be read', () => readRegularFile(path));
}

function attempt<T>(path: string, message: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const why =
      cause instanceof FileError ? cause.reason : cause instanceof Error ? cause.message : String(cause);
    throw new CertificateError(path, `${message}: ${why}`, cause);
  }
}
