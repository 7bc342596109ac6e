import type { WireError } from '../../protocol/frames.ts';
import type { LocalErrorCode } from '../client-error.ts';
import { errorOfStatus, readError } from '../told-error.ts';

/** A reason that the gateway itself did not give. */
export interface LocalRefusal {
  readonly code: LocalErrorCode;
  /** That of the SDK's own code. */
  readonly number: number;
  readonly message: string;
  readonly cause?: unknown;
}

/** Why an upgrade failed. */
export type Refusal = WireError | LocalRefusal;

const timeoutMs = 5_000;

/**
 * A refused upgrade looks like a lost network to a browser (1006). The gateway gives the reason in its response to a
 * GET of the same URL. A response of another server, or none, is a reason too.
 */
export async function learnRefusal(url: string, get: typeof fetch): Promise<Refusal> {
  const address = url.replace(/^ws/, 'http');
  const init = { cache: 'no-store' } as const;
  const policy = watchPolicy(address);
  let response: Response;
  try {
    response = await get(address, { ...init, headers: { accept: 'application/json' }, signal: deadline() });
  } catch (cause) {
    const error = await noResponse(address, cause, () =>
      get(address, { ...init, mode: 'no-cors', signal: deadline() }),
    );
    return (await policy.refusal()) ?? error;
  } finally {
    policy.end();
  }
  const { status } = response;
  if (status === 426) return noUpgrade;
  return (await toldByGateway(response)) ?? errorOfStatus(status, address);
}

/** The event of a blocked request comes soon after the request has failed. */
const eventWithinMs = 50;

/**
 * To a page, a request that its own Content-Security-Policy blocks looks like an absent server; an event tells them
 * apart. The policy may allow the WebSocket all the same, whose gateway may be back soon: so the reason is not final.
 */
function watchPolicy(address: string) {
  let refusal: LocalRefusal | undefined;
  const violated = ({ blockedURI, effectiveDirective }: SecurityPolicyViolationEvent) => {
    // Only where there are policies: the URL of React Native has no origin.
    if (!blockedURI.startsWith(new URL(address).origin)) return;
    const message = `The page's Content-Security-Policy (${effectiveDirective}) allows no request to ${address}.`;
    refusal = { code: 'gateway_unreachable', number: 1011, message };
  };
  const hasPolicies = 'SecurityPolicyViolationEvent' in globalThis;
  if (hasPolicies) addEventListener('securitypolicyviolation', violated);
  return {
    async refusal(): Promise<LocalRefusal | undefined> {
      if (hasPolicies) await new Promise((resolve) => setTimeout(resolve, eventWithinMs));
      return refusal;
    },
    end(): void {
      if (hasPolicies) removeEventListener('securitypolicyviolation', violated);
    },
  };
}

function deadline(): AbortSignal | undefined {
  return globalThis.AbortSignal?.timeout?.(timeoutMs);
}

/** Without CORS a page can't read a response, but it can find out whether a server responds. */
async function noResponse(
  address: string,
  cause: unknown,
  look: () => Promise<Response>,
): Promise<LocalRefusal> {
  try {
    const { type } = await look();
    if (type === 'opaque') {
      return {
        code: 'answer_hidden',
        number: 1015,
        message: `${address} responds, but not to this page: is its origin allowed?`,
      };
    }
  } catch {
    // No server.
  }
  return { code: 'gateway_unreachable', number: 1011, message: `No server responds at ${address}.`, cause };
}

/** The gateway's own error, never with a status of success. Undefined: the response is not the gateway's. */
async function toldByGateway(response: Response): Promise<Refusal | undefined> {
  const error = response.ok ? undefined : await readError(response);
  // A code without a number is not of the gateway's table.
  return error?.number ? error : undefined;
}

const noUpgrade: LocalRefusal = {
  code: 'upgrade_failed',
  number: 1013,
  message:
    'A proxy drops the headers Upgrade and Connection, the Content-Security-Policy allows no ws:, or the gateway is just back.',
};
