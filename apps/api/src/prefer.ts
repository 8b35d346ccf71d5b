/** How long a caller wants to wait for a job (RFC 7240), in milliseconds. */
export interface Preference {
  waitMs: number
  /** The preferences that were honoured, for `Preference-Applied`; empty where none were sent. */
  applied: string
}

/** The preference of callers who do not want to wait. */
export const respondAsync = 'respond-async'

const defaultSeconds = 30
const maxSeconds = 300

/** Reads `Prefer`. As the RFC asks, what is not understood is passed over. */
export function readPrefer(header: string | undefined): Preference {
  const preferences = (header ?? '').split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase())
  if (preferences.includes(respondAsync)) return { waitMs: 0, applied: respondAsync }
  const [, digits] = preferences.map((part) => /^wait\s*=\s*"?(\d{1,9})"?$/.exec(part ?? '')).find(Boolean) ?? []
  if (digits === undefined) return { waitMs: defaultSeconds * 1000, applied: '' }
  const seconds = Math.min(Number(digits), maxSeconds)
  return { waitMs: seconds * 1000, applied: `wait=${seconds}` }
}
