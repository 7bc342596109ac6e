import { expect, test } from 'vitest';
import { readWebSocketRequest } from '../../src/transport/websocket-request.ts';

const request = (path: string) => ({ path, header: () => '' });

test.each([
  ['/ws', undefined],
  ['/ws/', undefined],
  ['/ws/a%3Ab', 'a:b'],
  ['/ws/monitoring/web-01', 'server:web-01'],
  ['/stream', undefined],
  ['/stream/a', 'a'],
  ['/stream/monitoring/web-01', 'server:web-01'],
])('%s names the topic %s, whatever the first segment of the transport is', (path, topic) => {
  expect(readWebSocketRequest(request(path))).toMatchObject({ topic });
});

test.each([
  ['/ws/a/b', 'not_found'],
  ['/stream/a/b', 'not_found'],
  ['/stream/%E0%A4%A', 'invalid_topic'],
])('%s is refused with %s', (path, code) => {
  expect(readWebSocketRequest(request(path))).toMatchObject({ code });
});
