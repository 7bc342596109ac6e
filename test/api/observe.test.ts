import { expect, test } from 'vitest';
import { requestMetrics } from '../../src/api/observe.ts';
import { createMetrics } from '../../src/metrics.ts';

test('requests are counted by route and status', async () => {
  const metrics = createMetrics({ processMetrics: false });
  const observer = requestMetrics(metrics);
  observer.answered('/api/publish', 200, 0.002);
  observer.answered('/api/publish', 200, 0.002);
  observer.answered('/api/publish', 400, 0.002);
  observer.authFailed('local_only');
  const text = await metrics.registry.metrics();
  expect(text).toContain('sluice_http_requests_total{route="/api/publish",status="200"} 2');
  expect(text).toContain('sluice_http_requests_total{route="/api/publish",status="400"} 1');
  expect(text).toContain('sluice_http_request_seconds_count{route="/api/publish"} 3');
  expect(text).toContain('sluice_auth_failures_total{reason="local_only"} 1');
});
