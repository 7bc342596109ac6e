import { createHash, randomBytes } from 'node:crypto';
import { Exit } from './deps.ts';

/** 192 random bits can't be guessed, so a plain SHA-256 protects the key at rest. */
const keyBytes = 24;

/** Returns a new API key, and its hash for the gateway's configuration. */
export function makeKey(name: string): string {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
    throw new Exit(2, '--name is made of 1-64 characters of A-Z a-z 0-9 _ . -.');
  }
  const key = `slk_${randomBytes(keyBytes).toString('base64url')}`;
  const digest = createHash('sha256').update(key).digest('hex');
  return (
    `The key, for the client. It is shown only now:\n  ${key}\n` +
    `For the gateway, as --api-key, in SLUICE_API_KEYS or in the file under apiKeys:\n  ${name}=sha256:${digest}\n`
  );
}
