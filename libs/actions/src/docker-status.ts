/** The daemon's HTTP status in an error of dockerode's, or undefined where no daemon answered. */
export function dockerStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  return typeof error.statusCode === 'number' ? error.statusCode : undefined
}

/** The daemon's own words in an error of dockerode's: its `message`, without what dockerode wraps around it. */
export function dockerMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const answer = 'json' in error ? error.json : undefined
  if (typeof answer === 'object' && answer !== null && 'message' in answer && typeof answer.message === 'string') {
    return short(answer.message) || silent(error)
  }
  // A call whose answer is a stream has no `json`: there the daemon's words stand between what dockerode puts around them.
  const reason = 'reason' in error ? String(error.reason) : 'unexpected'
  const wrapping = `(HTTP code ${dockerStatus(error)}) ${reason} - `
  const words = error.message.startsWith(wrapping) ? error.message.slice(wrapping.length) : error.message
  return short(words.trim()) || silent(error)
}

/** A failure is told with a cause, also where the daemon gave none. */
const silent = (error: Error): string => `the daemon answered ${dockerStatus(error)} without a word`

/** Words go into a job's record, which Redis keeps for a day. */
const maxLength = 2_000

const short = (words: string): string => (words.length > maxLength ? `${words.slice(0, maxLength)}…` : words)
