import { expect, it } from 'vitest';
import { gatewayError } from '../../src/client/client-error.ts';
import { needsOtherCredential } from '../../src/client/gateway-errors.ts';
import { errorNumber } from '../../src/errors/numbers.ts';
import { errorTable } from '../../src/errors.ts';

it.each(Object.entries(errorTable))(
  'the code %s has the number and the verdict of the table',
  (code, { number, retry }) => {
    expect(gatewayError(code, 'm')).toMatchObject({ code, number, retry });
  },
);

it('another code has no number and may be tried again', () => {
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
