/**
 * How many bytes of one call may be under way in each direction: neither end, nor Redis, ever holds more of it. Half as much
 * means a third more round trips for a stream that never waits for its reader.
 */
export const windowBytes = 512 * 1024

/** The same of one of many calls for one reader, who may be slow for all of them. */
export const smallWindowBytes = 128 * 1024

/** What a frame takes of the window beside what it carries: a window of single bytes must not be a million frames. */
export const frameCost = 128

/** What one frame carries at the most, in bytes: several of them fill a window. */
export const frameBytes = 64 * 1024 - frameCost

/** A head, or a message beside the input, as JSON; an end that is longer goes in pieces. In bytes. */
export const messageBytes = 60 * 1024

/** An end, as JSON, in bytes. */
export const endBytes = 16 * 1024 * 1024

/** What opens a call, in bytes: whoever asks has sent no more to the API. */
export const openBytes = 128 * 1024

/** Calls that one dock answers at a time. */
export const callsPerDock = 1_000

/** Of these for one identity, from whichever replicas: nobody takes all of them. */
export const callsPerCaller = 250

/** What waits for a dock: one that lives takes it within milliseconds. */
export const waitingEntries = 4_000

/** How often each end says that it lives, and when the other one is taken for dead. */
export interface Pace {
  beatMs: number
  /** Beats in a row in which Redis answered and the other end was not heard. */
  silentBeats: number
  /** Beats in a row in which Redis did not answer. */
  awayBeats: number
  /** How long one blocking read lasts. */
  blockMs: number
  /** How long what a replica is to read outlives it, and what a dock is to read. */
  framesMs: number
  callsMs: number
  /** A call that its dock has not read by then is not begun. */
  openMs: number
}

export const pace: Pace = {
  beatMs: 2_000,
  silentBeats: 3,
  awayBeats: 8,
  blockMs: 5_000,
  framesMs: 15_000,
  callsMs: 60_000,
  openMs: 30_000,
}
