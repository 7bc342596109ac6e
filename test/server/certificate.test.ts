import { expect, test } from 'vitest';
import { expiryProblem } from '../../src/server/certificate.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

test.each([
  ['2026-01-15T00:00:00Z', undefined],
  ['2026-01-14T23:59:59Z', 'the certificate expires in 13 days'],
  ['2026-01-01T00:00:00Z', 'the certificate expires within two days'],
  ['2025-12-31T23:59:59Z', 'the certificate has expired: clients refuse it'],
])('a certificate that is valid until %s: %s', (validUntil, problem) => {
  expect(expiryProblem(new Date(validUntil), nowMs)).toBe(problem);
});
