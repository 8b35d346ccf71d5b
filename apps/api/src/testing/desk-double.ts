import { Readable } from 'node:stream'
import type { Grant, Held } from '@deblox/actions/access/decide'
import type { Role } from '@deblox/actions/access/policies'
import type { Action } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import { type Allowance, leastAllowance, type Quota } from '@deblox/fleet/allowances'
import type { DockState } from '@deblox/fleet/docks'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobRecord, SlotOutcome, SlotStatus } from '@deblox/fleet/job'
import type { Submission } from '@deblox/fleet/jobs'
import type { Demand } from '@deblox/fleet/quota'
import { accessTo } from '../access'
import type { Admission } from '../admission'
import type { Caller } from '../route'
import { type Desk, submitTo } from '../submit'
import { Waiter } from '../wait'

/** The container that the double knows. */
export const id = 'ab'.repeat(32)
export const action = (name: string) => findAction(name) as Action

/** What a test says of who asks: an admin unless told. */
export type Asker = Partial<Caller> & { actor?: string; role?: Role }

/** Somebody who does not wait. */
export const caller = ({ actor = 'anna', role = 'admin', ...more }: Asker = {}): Caller => ({
  identity: { subject: actor, teams: [], role },
  via: 'token',
  address: '127.0.0.1',
  requestId: 'request-1',
  about: {},
  prefer: { waitMs: 0, applied: '' },
  gone: new AbortController().signal,
  over: new AbortController().signal,
  still: async () => ({ subject: actor, teams: [], role }),
  body: Readable.from([]),
  header: () => undefined,
  ...more,
})

export const outcome: SlotOutcome = {
  slot: 1,
  state: 'completed',
  dock: 'dock-a',
  attempts: 1,
  startedAt: 0,
  finishedAt: 0,
  result: { envelope: { Date: '', Response: '', dockerInstance: 'dock-a', statusCode: 204 } },
  error: null,
}

/** A double of the fleet in this process: which docks there are, and what was accepted under which key. */
export function fleetDouble({
  ready = ['dock-a', 'dock-b', 'dock-c'],
  state = 'ready',
  allowance = leastAllowance,
  grants = [],
}: { ready?: string[]; state?: DockState; allowance?: Allowance; grants?: Grant[] } = {}) {
  const accepted: Submission[] = []
  const byKey = new Map<string, { record: JobRecord; payload: string }>()
  const slots: SlotStatus[] = [{ slot: 1, state: 'waiting', dock: null, attempts: 0, startedAt: null }]
  let dealt = 0
  const forgotten: string[] = []
  const located: [string, string | undefined][] = []
  const known = (key: string, payload: string) => {
    const found = byKey.get(key)
    if (found && found.payload !== payload) throw new DebloxError('idempotency_key_reused', 'another')
    return found?.record
  }
  const fleet = {
    clock: { now: () => Date.now() },
    docks: {
      isRegistered: async (hostname: string) => ready.includes(hostname),
      list: async () => ready.map((hostname) => ({ hostname, state: 'ready' })),
      states: async () => new Map<string, DockState>([['dock-b', state]]),
    },
    index: {
      locate: async (reference: string, hostname?: string, mayKnow: (row: Held) => boolean = () => true) => {
        located.push([reference, hostname])
        const row = { id, name: 'web', dock: hostname ?? 'dock-b', owner: 'anna', labels: { 'deblox.memory': '1000' } }
        if (reference === 'nothing' || !mayKnow(row)) throw new DebloxError('container_not_found', 'none')
        return row
      },
    },
    placements: { takeTurn: async (count: number) => (dealt += count) - count },
    secrets: { sealed: async (record: JobRecord) => record, forget: async (host: string) => void forgotten.push(host) },
    templates: { get: async () => ({ spec: { image: 'busybox', env: { A: '1' } } }) },
    jobs: {
      accept: async (submission: Submission) => {
        const { record, idempotency } = submission
        const earlier = idempotency && known(idempotency.key, idempotency.payload)
        if (earlier) return { record: earlier, repeated: true }
        accepted.push(submission)
        if (idempotency) byKey.set(idempotency.key, { record, payload: idempotency.payload })
        return { record, repeated: false }
      },
      recall: async (_actor: string, { key, payload }: { key: string; payload: string }) => known(key, payload) ?? null,
      status: async () => ({ slots }),
    },
  } as unknown as Fleet
  const waiter = new Waiter(fleet.jobs)
  const asked: Parameters<Admission['job']>[0][] = []
  const admission = { job: async (demand: Parameters<Admission['job']>[0]) => void asked.push(demand) } as Admission
  const access = accessTo(fleet.index, async () => grants)
  const allowances = { of: async () => allowance }
  const reserved: Demand[] = []
  const quotas = { reserve: async (_quota: Quota, demand: Demand) => void reserved.push(demand) }
  const desk: Desk = { fleet, access, allowances, quotas, waiter, admission, replyTo: 'replies' }
  const submit = submitTo(desk)
  const records = () => accepted.map(({ record }) => record)
  return {
    desk,
    submit,
    waiter,
    asked,
    records,
    located,
    reserved,
    forgotten,
    slots,
    topics: () => records().flatMap(({ topics }) => topics),
  }
}
