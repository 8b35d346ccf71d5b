import type { JobPayload } from '@deblox/fleet/job'
import type { Placement } from '@deblox/fleet/placement'
import type Docker from 'dockerode'
import { fleetDouble } from '../../../../libs/actions/src/testing/fleet-double'
import { Gate } from '../gate'
import type { RunContext } from '../run-action'

export const payloadOf = (action: string, params: Record<string, unknown>): JobPayload => ({
  v: 1,
  jobId: 'job-7',
  slot: 1,
  numbered: false,
  action,
  params,
  actor: 'anna',
  owner: 'anna',
  replyTo: 'replies',
  acceptedAt: 0,
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
  const context = { hostname: 'here', docker, fleet, daemon, leaseLost, refresh, touch } as unknown as RunContext
  return { context, daemon, forwarded, refreshed, touched, registered, claim: () => claim }
}
