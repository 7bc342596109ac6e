import { expect, test } from 'vitest';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import { SluiceError } from '../../../src/errors.ts';
import { TopicPermits } from '../../../src/sessions/subscriptions/topic-permits.ts';

const subscriptions = ['good', 'bad', 'good', 'later', 'bad'].map((token) => ({ topic: 'a', token }));
const bad = new SluiceError('unauthorized');

/** `later`: its signature takes a thread. */
function makePermits() {
  const asked: string[] = [];
  const identify = (token: string) => {
    asked.push(token);
    if (token === 'later') return Promise.resolve(bad);
    return token === 'bad' ? bad : anonymousIdentity;
  };
  return { asked, permits: new TopicPermits({ identify, refusal: () => undefined, wallMs: () => 0 }) };
}

test('the time of tokens that the secret signs is that of their command: it is answered in its turn', () => {
  const { asked, permits } = makePermits();
  const refused = permits.refusals(subscriptions.filter(({ token }) => token !== 'later'));
  expect(refused).toEqual(new Map([['bad', bad]]));
  expect(asked).toEqual(['good', 'bad']);
});

test('tokens are looked at one by one, and each once', async () => {
  const { asked, permits } = makePermits();
  const refused = permits.refusals(subscriptions);
  expect(asked).toEqual(['good', 'bad', 'later']);
  const both = new Map([
    ['bad', bad],
    ['later', bad],
  ]);
  expect(await refused).toEqual(both);
});
