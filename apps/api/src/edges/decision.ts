import type { Decision } from '@deblox/fleet/audit-chain'
import type { Decided } from '../gate'

/** Codes by which somebody is told, by the API or by a dock, that he may not, or that it is not known who he is. All other failures were allowed first. */
const denials: ReadonlySet<string> = new Set([
  'unauthenticated',
  'forbidden',
  'csrf_refused',
  'too_many_requests',
  'admission_denied',
  'quota_exceeded',
  'dock_policy',
  'bad_signature',
  // Where something is somebody else's, it is told as one that is not there.
  'container_not_found',
  'job_not_found',
  'token_not_found',
  'grant_not_found',
])

/** How the audit keeps what was decided about a request. */
export function decisionFrom(decided: Decided): Decision {
  const { known, permission, object, dock, job, address, requestId, status, code } = decided
  return {
    who: known?.identity.subject ?? null,
    via: known?.via ?? null,
    ...(known?.tokenId !== undefined && { tokenId: known.tokenId }),
    role: known?.identity.role ?? null,
    permission,
    object: object ?? null,
    dock: dock ?? null,
    job: job ?? null,
    address,
    requestId,
    decision: code !== undefined && denials.has(code) ? 'deny' : 'allow',
    status,
    ...(code !== undefined && { code }),
  }
}
