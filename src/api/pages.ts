import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '../errors.ts';
import type { ApiResponse } from './http.ts';
import type { ApiPorts } from './ports.ts';
import type { Call } from './route.ts';

const mediaTypes = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
} as const;

/**
 * Scripts and styles are files of the gateway, never text in the page, and the page connects to the gateway alone (also
 * by WebSocket). Charts set styles on their elements by script, which this allows. Strings don't become markup or
 * scripts, and no page may frame this one.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/**
 * By the kind of file. Pages share neither their window nor their bytes with other origins, and old browsers learn by a
 * header of their own not to frame them. Scripts are for listed origins, too: CORS decides.
 */
const securityHeaders: Readonly<Record<keyof typeof mediaTypes, Readonly<Record<string, string>>>> = {
  html: {
    'content-security-policy': contentSecurityPolicy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'x-frame-options': 'DENY',
  },
  js: {},
  css: { 'cross-origin-resource-policy': 'same-origin' },
};

/** Makes something of a built file once: there is one array of bytes per file and encoding. */
function once<T extends object | string>(make: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const cache = new WeakMap<Uint8Array, T>();
  return (bytes) => {
    const value = cache.get(bytes) ?? make(bytes);
    cache.set(bytes, value);
    return value;
  };
}

const gzipped = once((bytes): Uint8Array => gzipSync(bytes, { level: 9 }));
const etagOf = once((bytes) => `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`);

/** RFC 9110, section 12.5.3, as browsers write it. */
function takesGzip(acceptEncoding: string): boolean {
  return acceptEncoding
    .split(',')
    .some((each) => /^\s*(?:x-)?gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(each));
}

/** The handler of one built file. Browsers ask each time, and get 304 while it is the same. */
export function page(name: `${string}.${keyof typeof mediaTypes}`) {
  const kind = name.slice(name.lastIndexOf('.') + 1) as keyof typeof mediaTypes;
  return ({ ifNoneMatch, acceptEncoding }: Call, { assets }: ApiPorts): ApiResponse => {
    const plain = assets(name);
    if (plain === undefined) throw new SluiceError('not_found', `${name} was not built: npm run build`);
    const isGzip = takesGzip(acceptEncoding);
    const bytes = isGzip ? gzipped(plain) : plain;
    const etag = etagOf(bytes);
    const headers = {
      'content-type': mediaTypes[kind],
      'cache-control': 'no-cache',
      etag,
      vary: 'accept-encoding',
      ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      ...securityHeaders[kind],
    };
    if (names(ifNoneMatch, etag)) return { status: 304, headers, body: bytes, omitBody: true };
    return { status: 200, headers, body: bytes };
  };
}

/** Weak comparison, as RFC 9110 wants it for If-None-Match. */
function names(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch.split(',').some((each) => {
    const candidate = each.trim().replace(/^W\//, '');
    return candidate === '*' || candidate === etag;
  });
}
