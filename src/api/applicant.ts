import { presentedCredential } from '../auth/api-keys.ts';
import { addressKey, type ClientAddress } from '../auth/client-address.ts';
import type { Identity } from '../auth/identity.ts';
import { addressAccount } from '../auth/payer.ts';
import type { Door, ReportRefusal } from '../auth/refusals.ts';
import type { RequestAccess } from '../auth/request-access.ts';
import type { RequestFacts } from '../auth/request-facts.ts';
import type { RequestedHostOf } from '../auth/requested-host.ts';
import type { SluiceError } from '../errors.ts';
import type { Applicant } from '../sessions/admission/admission.ts';
import type { RequestHead } from './http.ts';

export interface ApplicantOptions {
  readonly upgradeProblem: RequestAccess['upgradeProblem'];
  /** The identity of a client without a credential, by where it comes from. */
  readonly identityOf: (request: RequestFacts) => Identity;
  readonly clientAddress: ClientAddress;
  readonly requestedHostOf: RequestedHostOf;
  readonly refused: ReportRefusal;
  /** Names of headers that the application is told now. */
  readonly toldHeaders: () => readonly string[];
}

/**
 * The client that asks for a connection, or why pages of its origin may not. The head is read only while this runs.
 * `door`: logs a refusal; absent: the client only asks whether it may connect.
 */
export type ReadApplicant = (head: RequestHead, door?: Door) => Applicant | SluiceError;

/** A credential is a header of the request or `?token=`. */
export function applicantReader(options: ApplicantOptions): ReadApplicant {
  const { upgradeProblem, identityOf, clientAddress, requestedHostOf, refused, toldHeaders } = options;
  return (head, door) => {
    const origin = head.header('origin');
    const address = clientAddress(head);
    const problem = upgradeProblem(head);
    if (problem !== undefined) {
      if (door !== undefined)
        refused(door, problem, {
          address,
          origin,
          host: requestedHostOf(head).host,
          request: head.requestId,
        });
      return problem;
    }
    const key = addressKey(address);
    return {
      address,
      addressKey: key,
      account: addressAccount(key),
      origin,
      request: head.requestId,
      credential: tokenOfQuery(head.query) ?? presentedCredential(head),
      fallback: identityOf(head),
      told: toldOf(head, toldHeaders()),
    };
  };
}

function toldOf(head: RequestHead, names: readonly string[]): Applicant['told'] {
  if (names.length === 0) return undefined;
  const present = names.map((name) => [name, head.header(name)]).filter(([, value]) => value !== '');
  return Object.fromEntries(present);
}

/** An empty token is none: what a page's template leaves empty must not hide a credential in the headers. */
function tokenOfQuery(query: string): string | undefined {
  if (query === '') return undefined;
  if (isEscaped.test(query)) return new URLSearchParams(query).getAll('token').find((token) => token !== '');
  for (const part of query.split('&'))
    if (part.startsWith(tokenIs) && part.length > tokenIs.length) return part.slice(tokenIs.length);
  return undefined;
}

const isEscaped = /[%+?]/;
const tokenIs = 'token=';
