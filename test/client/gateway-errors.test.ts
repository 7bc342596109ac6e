import { expect, it } from 'vitest';
import { localError } from '../../src/client/client-error.ts';
import { needsOtherCredential } from '../../src/client/gateway-errors.ts';
import { endError } from '../../src/client/subscriptions/extras/pushes.ts';
import { gatewayError } from '../../src/client/told-error.ts';
import { errorNumber } from '../../src/errors/numbers.ts';
import { errorTable } from '../../src/errors.ts';

it.each(Object.entries(errorTable))(
  'the code %s has the number and the verdict of the table',
  (code, { number, retry }) => {
    expect(gatewayError(code, 'm')).toMatchObject({ code, number, retry });
  },
);

it('the codes that the client raises itself have the number and verdict of the table', () => {
  for (const code of [
    'invalid_request',
    'invalid_topic',
    'invalid_type',
    'invalid_filter',
    'payload_too_large',
    'frame_too_large',
  ] as const) {
    const { number, retry } = errorTable[code];
    expect(localError(code, 'm')).toMatchObject({ code, number, retry });
  }
});

it('the reasons to end a subscription have the number and verdict of the table', () => {
  for (const code of ['forbidden', 'not_subscribed', 'too_many_views', 'internal'] as const) {
    const { number, retry } = errorTable[code];
    expect(endError(code)).toMatchObject({ code, number, retry });
  }
  expect(endError('another')).toMatchObject({ number: 0, retry: true });
});

it('an unknown code has no number and may be tried again', () => {
  for (const code of ['nothing_known', '100', '']) {
    expect(errorNumber(code)).toBeUndefined();
    expect(gatewayError(code, 'm')).toMatchObject({ number: 0, retry: true });
  }
});

it.each(Object.entries(errorTable))(
  'the table says whether another credential can mend %s',
  (code, { auth, retry }) => {
    expect(needsOtherCredential(code)).toBe(auth === 'credential' && !retry);
  },
);
