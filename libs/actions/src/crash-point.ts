/** Where the fault campaign can end a worker in the middle of a job: each is a moment after which something is half done. */
type CrashPoint =
  'before-claim' | 'after-claim' | 'before-act' | 'after-create' | 'after-start' | 'after-act' | 'before-complete'

type Reached = (point: CrashPoint, job: string) => void

/** What a test has loaded into this process before the worker (`node --require`); nothing of Deblox sets it. */
const reached = (globalThis as { debloxCrashPoint?: Reached }).debloxCrashPoint

/** Tells a test that the worker has come this far with a job. Without a test it is empty. */
export const crashPoint: Reached = reached ?? (() => {})
