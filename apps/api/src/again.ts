import { type Identity, ownersOf } from '@deblox/actions/access/identity'
import { type Permission, policyOf } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import type { JobRecord } from '@deblox/fleet/job'
import { jobNotFound, type JobStatus } from '@deblox/fleet/jobs'
import { dockOfTopic } from '@deblox/fleet/names'
import type { Retry } from '@deblox/fleet/retry'
import { isHisJob, requireUse } from './access'
import { ownerFor } from './address'
import { canonicalJson } from './canonical-json'
import type { Caller } from './route'
import { type Admitted, admittedBy, boundOf } from './rules'
import type { Desk } from './submit'

/** Accepts the job that tries another one again, for somebody who could ask for it himself; answers its id. */
export async function again(
  desk: Desk,
  id: string,
  caller: Caller,
  find: (id: string, caller: Caller) => Promise<JobStatus>,
): Promise<string> {
  const { admission, quotas, replyTo } = desk
  const { jobs, endings, clock } = desk.fleet
  const { identity, idempotencyKey: key } = caller
  const actor = identity.subject
  const idempotency = key === undefined ? undefined : { key, payload: canonicalJson({ retry: id }) }
  const accepted = async (): Promise<string | undefined> => {
    const earlier = idempotency && (await jobs.recall(actor, idempotency))
    // The replica that accepted it may have died before it was on its topics.
    return earlier ? (await jobs.accept({ record: earlier, idempotency })).record.id : undefined
  }
  const before = await accepted()
  if (before !== undefined) return before
  await find(id, caller)
  // What anybody may have written there decides nothing: this is what the API has.
  const old = await jobs.own(id)
  if (!isHisJob(identity, old)) throw jobNotFound(id)
  const { takes, ...right } = await rightAgain(desk, old, caller)
  let retry: Retry
  try {
    retry = await endings.again(id, replyTo, clock.now())
  } catch (error) {
    // The same request may have been here at the same moment.
    const since = await accepted()
    if (since !== undefined) return since
    throw error
  }
  const { record, ended } = retry
  const { topics, params } = record
  const bound = await boundOf(desk.allowances, identity)
  await admission.job({ actor, topics, size: JSON.stringify(params).length, ...bound })
  if (takes?.quota) {
    const missing = { owner: takes.owner, jobId: record.id, slots: topics.length - ended.length, ...takes.size }
    await quotas.reserve(takes.quota, missing)
  }
  // A key belongs to whoever sends it, and that may be somebody else than before.
  const submission = { record: { ...record, actor, identity, ...right }, ended, ...(idempotency && { idempotency }) }
  return (await jobs.accept(submission)).record.id
}

type Right = Pick<JobRecord, 'owner' | 'given' | 'view'> & Admitted

/** What the caller's right to a job rests on, now that he asks for it, and how far it goes. */
async function rightAgain({ access, allowances }: Desk, record: JobRecord, { identity }: Caller): Promise<Right> {
  const { action: name, params, owner, actor, given: before, topics } = record
  const permission = name as Permission
  const action = findAction(name)
  if (!action) throw new DebloxError('unknown_action', `action: expected a known one, got ${name}`)
  const admitted = admittedBy(allowances)
  if (action.target !== 'container') {
    requireUse(identity, permission)
    if (action.creates) ownerFor(identity, permission, owner)
    const view = policyOf(permission).reach === 'own' ? await access.view(identity) : undefined
    const hostname = record.dealt ? null : dockOfTopic(topics[0] ?? '')
    const rules = await admitted(action, params, { identity, owner, ...(hostname !== null && { hostname }) })
    return { owner, given: undefined, view, rules: undefined, ...rules }
  }
  const found = await access.still(identity, permission, params['id'] as string)
  if (found) {
    const { row, given } = found
    const whose = { identity, owner: row.owner ?? identity.subject, hostname: row.dock, row }
    return { owner: whose.owner, given, view: undefined, rules: undefined, ...(await admitted(action, params, whose)) }
  }
  // The job may have done its work: then the dock says so. If it is there after all it must be his.
  if (identity.role === 'admin') return { owner, given: {}, view: undefined }
  if (actor !== identity.subject) throw jobNotFound(record.id)
  return { owner, given: { owner: isHis(identity, before?.owner) ? before?.owner : actor }, view: undefined }
}

const isHis = (identity: Identity, owner: string | undefined): boolean =>
  owner !== undefined && ownersOf(identity).includes(owner)
