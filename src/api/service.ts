import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { toInstant } from '../protocol/instant.ts';
import { type ApiResponse, json } from './http.ts';
import { inOwnTurn } from './own-turn.ts';
import type { ApiPorts } from './ports.ts';
import type { readiness, stats } from './response-schemas.ts';
import type { Call } from './route.ts';

/** `GET /api/stats` */
export async function showStats(call: Call, ports: ApiPorts): Promise<ApiResponse> {
  const { service } = ports;
  const { startedAtMs, uptimeMs, ...counts } = await inOwnTurn(call, ports, () => service.stats());
  const body: z.output<typeof stats> = {
    version: service.version,
    ...counts,
    startedAt: toInstant(startedAtMs),
    uptimeSeconds: Math.round(uptimeMs) / 1000,
  };
  return json(body);
}

/** `GET /healthz`: the process is alive. */
export function showHealth(): ApiResponse {
  return json({ status: 'ok' });
}

/** `GET /readyz`: the gateway serves clients. */
export async function showReadiness(_call: Call, { service }: ApiPorts): Promise<ApiResponse> {
  const { ok, checks } = await service.ready();
  if (!ok) throw new SluiceError('engine_unavailable', 'the gateway is not ready', { details: { checks } });
  const body: z.output<typeof readiness> = { status: 'ready', checks };
  return json(body);
}

/** `GET /metrics` */
export async function showMetrics(call: Call, ports: ApiPorts): Promise<ApiResponse> {
  const { contentType, body } = await inOwnTurn(call, ports, () => ports.service.metricsText());
  return {
    status: 200,
    headers: {
      'content-type': contentType,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}
