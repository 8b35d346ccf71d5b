import { type ErrorCode, errorTable } from '@deblox/actions/errors'
import type { DockState } from '@deblox/fleet/docks'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobError, type JobRecord, type SlotStatus } from '@deblox/fleet/job'
import type { SlotPlace } from '@deblox/fleet/entries'
import type { JobStatus } from '@deblox/fleet/jobs'
import { dockOfTopic } from '@deblox/fleet/names'

/** A job that waits for any dock has found one within this time, in milliseconds, unless there is none. */
const placedWithinMs = 2_000

/** The same jobs, with the reason for each slot that does not go on because its dock, or every dock, is away. */
export async function withStandstill(
  { docks, clock }: Pick<Fleet, 'docks' | 'clock'>,
  jobs: JobStatus[],
): Promise<JobStatus[]> {
  const isLate = (record: JobRecord) => hasWaited(record, clock.now())
  const open = jobs.flatMap(({ record, slots, places }) =>
    slots.flatMap((slot, n) => (isOpen(slot) ? [{ record, dock: dockOf(slot, places[n]) }] : [])),
  )
  if (open.length === 0) return jobs
  const named = [...new Set(open.flatMap(({ dock }) => dock ?? []))]
  const states = named.length > 0 ? await docks.states(named) : new Map<string, DockState>()
  const asksForAny = open.some(({ record, dock }) => dock === null && isLate(record))
  const noneReady = asksForAny && ![...(await docks.states()).values()].includes('ready')
  return jobs.map(({ record, slots, places }) => ({
    record,
    places,
    slots: slots.map((slot, n) => {
      if (!isOpen(slot)) return slot
      const dock = dockOf(slot, places[n])
      const error = dock === null ? (noneReady && isLate(record) ? noDock : undefined) : reason(dock, states.get(dock))
      return error ? { ...slot, error } : slot
    }),
  }))
}

/** The dock for which it waits, or that is working on it. */
const dockOf = ({ state, dock }: SlotStatus, place?: SlotPlace): string | null =>
  state === 'active' ? dock : dockOfTopic(place?.topic ?? '')

/** Neither ended nor told apart already. */
const isOpen = (slot: SlotStatus): boolean => !isFinished(slot) && slot.error === undefined

const hasWaited = ({ acceptedAt }: JobRecord, now: number): boolean => now - acceptedAt > placedWithinMs

function reason(dock: string, state: DockState | undefined): JobError | undefined {
  if (state === 'unreachable') {
    return failure(
      'host_unreachable',
      `expected ${dock} to be heard of, but it is not; the job goes on when it is back`,
    )
  }
  if (state === 'daemon-unhealthy') {
    return failure(
      'daemon_unhealthy',
      `expected the Docker daemon of ${dock} to answer, but it does not; the job goes on when it does`,
    )
  }
  return undefined
}

const failure = (code: ErrorCode, message: string): JobError => ({ code, status: errorTable[code].status, message })

const noDock = failure(
  'no_dock_ready',
  'expected a dock that is ready, but there is none; the job runs on the first that is',
)
