import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Makes a certificate of its own for this machine, in the folder. `name`: its common name, and that of the files.
 * `hosts`: what it is for.
 */
export function makeCertificate(
  folder: string,
  name: string,
  hosts = 'IP:127.0.0.1,DNS:localhost',
): { readonly cert: string; readonly key: string } {
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${hosts}`];
  const args = ['req', ...kind, ...names, '-days', '2', '-keyout', files.key, '-out', files.cert];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return files;
}
