import type { JobPayload } from '@deblox/fleet/job'
import type { Placement } from '@deblox/fleet/placement'
import type Docker from 'dockerode'
import { fleetDouble } from '../../../../libs/actions/src/testing/fleet-double'
import { Gate } from '../gate'
import type { RunContext, Slot } from '../run-action'

export const slotOf = (action: string, params: Record<string, unknown>, more: Partial<Slot> = {}): Slot => ({
  v: 2,
  jobId: 'job-7',
  slot: 1,
  numbered: false,
  action,
  params,
  actor: 'anna',
  owner: 'anna',
  replyTo: 'replies',
  acceptedAt: 0,
  again: false,
  epoch: 0,
  ...more,
})

/** A double of the fleet in this process: claims, leases, begun slots, and what was handed on. */
export function runContextDouble(
  docker: Docker,
  { claimed, leased = [] }: { claimed?: Placement; leased?: string[] } = {},
) {
  let claim = claimed
  const begun = new Set<string>()
  const forwarded: string[] = []
  const refreshed: string[] = []
  const touched: string[] = []
  const registered = fleetDouble()
  const fleet = {
    docks: { ...registered.docks, isLeased: async (hostname: string) => leased.includes(hostname) },
    placements: {
      claim: async (_job: string, _slot: number, hostname: string) => (claim ??= { hostname, epoch: 1 }),
      reclaim: async (_job: string, _slot: number, hostname: string, was: Placement) =>
        (claim = claim?.epoch === was.epoch ? { hostname, epoch: was.epoch + 1 } : (claim as Placement)),
      release: async () => {
        claim = undefined
        return true
      },
    },
    jobs: {
      forward: async (_payload: JobPayload, topic: string) => void forwarded.push(topic),
      markBegun: async ({ jobId, slot }: JobPayload) => {
        const before = begun.has(`${jobId}.${slot}`)
        begun.add(`${jobId}.${slot}`)
        return { before }
      },
      unmarkBegun: async ({ jobId, slot }: JobPayload) => void begun.delete(`${jobId}.${slot}`),
    },
  }
  const daemon = new Gate(true)
  const refresh = async (id: string) => void refreshed.push(id)
  const touch = (id: string) => void touched.push(id)
  const lease = new AbortController()
  const leaseLost = () => lease.signal
  const lost = { daemon: new AbortController() }
  const context = {
    hostname: 'here',
    docker,
    fleet,
    daemon,
    leaseLost,
    daemonLost: () => lost.daemon.signal,
    graceMs: () => 0,
    now: () => 0,
    workAgain: async () => {},
    pullOnce: (_reference: string, signal: AbortSignal, pull: (signal: AbortSignal) => Promise<void>) => pull(signal),
    refresh,
    touch,
  } as unknown as RunContext
  return { context, daemon, lost, forwarded, refreshed, touched, registered, claim: () => claim }
}
