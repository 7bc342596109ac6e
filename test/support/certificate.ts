import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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

/** Makes a certificate that has expired, in the folder. */
export function makeExpiredCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const files = { cert: join(folder, 'expired.crt'), key: join(folder, 'expired.key') };
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=expired',
  ];
  openssl('req', ...kind, '-keyout', files.key, '-out', 'expired.csr');
  const authority = [
    'database=issued',
    'serial=serial',
    'new_certs_dir=.',
    'default_md=sha256',
    'policy=policy',
  ];
  const config = ['[ca]', 'default_ca=own', '[own]', ...authority, '[policy]', 'commonName=supplied', ''];
  writeFileSync(join(folder, 'ca.cnf'), config.join('\n'));
  writeFileSync(join(folder, 'issued'), '');
  writeFileSync(join(folder, 'serial'), '01\n');
  const dates = ['-startdate', '20250101000000Z', '-enddate', '20250201000000Z'];
  const signing = [
    '-batch',
    '-config',
    'ca.cnf',
    '-selfsign',
    '-keyfile',
    files.key,
    '-in',
    'expired.csr',
    '-notext',
  ];
  openssl('ca', ...signing, ...dates, '-out', files.cert);
  return files;
}
