import type { JobPayload } from '@deblox/fleet/job'
import type { Placement } from '@deblox/fleet/placement'
import type Docker from 'dockerode'
import { ownersDouble } from '../../../../libs/actions/src/testing/context'
import { fleetDouble } from '../../../../libs/actions/src/testing/fleet-double'
import { Gate } from '../gate'
import type { RunContext, Slot } from '../run-context'

export const slotOf = (action: string, params: Record<string, unknown>, more: Partial<Slot> = {}): Slot => ({
  v: 3,
  jobId: 'job-7',
  slot: 1,
  numbered: false,
  action,
  params,
  actor: 'anna',
  owner: 'anna',
  replyTo: 'replies',
  acceptedAt: 0,
  issuedAt: 0,
  expiresAt: 86_400_000,
  dock: 'here',
  identity: { subject: 'anna', teams: [], role: 'admin' },
  given: {},
  again: false,
  epoch: 0,
  ...more,
})

/** A double of the fleet in this process: claims, leases, and begun slots. */
export function runContextDouble(
  docker: Docker,
  { claimed, leased = [] }: { claimed?: Placement; leased?: string[] } = {},
) {
  let claim = claimed
  const begun = new Set<string>()
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
  const told: Parameters<RunContext['tell']>[1][] = []
  const context = {
    hostname: 'here',
    docker,
    fleet,
    policy: { maxProfile: 'privileged' },
    defaultRules: { profile: 'privileged' },
    daemon,
    leaseLost,
    daemonLost: () => lost.daemon.signal,
    graceMs: () => 0,
    now: () => 0,
    owners: ownersDouble,
    labelsOf: () => undefined,
    onEnded: () => undefined,
    onRecorded: () => undefined,
    workAgain: async () => {},
    pullOnce: (_reference: string, signal: AbortSignal, pull: (signal: AbortSignal) => Promise<void>) => pull(signal),
    tell: (_payload: JobPayload, telling: Parameters<RunContext['tell']>[1]) => void told.push(telling),
    refresh,
    touch,
  } as unknown as RunContext
  return { context, daemon, lost, refreshed, touched, told, registered, claim: () => claim }
}
