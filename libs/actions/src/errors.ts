/** Every failure that Deblox itself reports: its stable code, the HTTP status it answers with, and what it means. */
export const errorTable = {
  malformed_json: { status: 400, title: 'The body is not a JSON object' },
  invalid_request: { status: 400, title: 'A field of the request is not as expected' },
  unknown_action: { status: 400, title: 'No such action' },
  unauthenticated: { status: 401, title: 'It is not known who asks' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  csrf_refused: { status: 403, title: 'The request was sent by another site' },
  admission_denied: { status: 403, title: 'The container may not have what it asks for' },
  quota_exceeded: { status: 403, title: "The owner's quota is used up" },
  dock_policy: { status: 403, title: 'The policy of the dock itself forbids it' },
  bad_signature: { status: 403, title: 'The job is not one that the API has signed' },
  route_not_found: { status: 404, title: 'No such route' },
  container_not_found: { status: 404, title: 'No such container in the fleet' },
  dock_not_found: { status: 404, title: 'No such dock in the fleet' },
  template_not_found: { status: 404, title: 'No such template' },
  job_not_found: { status: 404, title: 'No such job' },
  token_not_found: { status: 404, title: 'No such token' },
  grant_not_found: { status: 404, title: 'No such grant' },
  method_not_allowed: { status: 405, title: 'The route does not take this method' },
  job_finished: { status: 409, title: 'The job has ended already' },
  job_not_failed: { status: 409, title: 'The job cannot be tried again, or not now' },
  job_cancelled: { status: 409, title: 'The job was cancelled' },
  dock_replaced: { status: 409, title: 'The job was meant for another machine of that name' },
  ambiguous_container: { status: 409, title: 'More than one container matches' },
  template_shipped: { status: 409, title: 'The template is shipped with Deblox and cannot be deleted' },
  dock_removed: { status: 410, title: 'The dock was removed from the fleet' },
  result_gone: { status: 410, title: 'The result is no longer kept' },
  body_too_large: { status: 413, title: 'The body is too large' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used for another request' },
  upgrade_required: { status: 426, title: 'The route speaks WebSocket only' },
  too_many_streams: { status: 429, title: 'Too many streams are open' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  too_many_jobs: { status: 429, title: 'Too many jobs are waiting' },
  docker_error: { status: 500, title: 'Docker refused' },
  internal: { status: 500, title: 'Deblox failed' },
  worker_died: { status: 500, title: 'Workers died over the job' },
  result_too_large: { status: 502, title: 'The daemon answered more than can be passed on' },
  stream_broken: { status: 502, title: 'The stream to the dock broke off' },
  dock_unreachable: { status: 503, title: 'The dock cannot be asked: no worker holds its lease' },
  host_unreachable: { status: 503, title: 'The dock is not heard of' },
  daemon_unhealthy: { status: 503, title: 'The Docker daemon of the dock does not answer' },
  no_dock_ready: { status: 503, title: 'No dock is ready' },
  lease_lost: { status: 503, title: 'The worker no longer holds the lease of its dock' },
  redis_unavailable: { status: 503, title: 'Redis cannot be reached' },
  redis_full: { status: 503, title: 'Redis has too little memory left' },
  job_expired: { status: 504, title: 'The job was not begun before its deadline' },
  call_timeout: { status: 504, title: 'The dock did not answer in time' },
  outcome_unknown: { status: 504, title: 'Whether the action took effect is not known' },
} satisfies Record<string, { status: number; title: string }>

export type ErrorCode = keyof typeof errorTable

export interface ErrorOptions {
  cause?: unknown
  /** Overrides the table's status, e.g. with the Docker daemon's own. */
  status?: number
  /** Members that a problem reply carries beside the message, e.g. `candidates`. */
  details?: Record<string, unknown>
}

/** A failure with a code from the table. Its message says what was expected and what arrived. */
export class DebloxError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly details: Record<string, unknown>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'DebloxError'
    this.code = code
    this.status = options.status ?? errorTable[code].status
    this.details = options.details ?? {}
  }
}
