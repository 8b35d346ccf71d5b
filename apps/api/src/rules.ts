import type { Identity } from '@deblox/actions/access/identity'
import { type Rules, stricter } from '@deblox/actions/admission/rules'
import type { Size } from '@deblox/actions/admission/size'
import type { Action } from '@deblox/actions/define-action'
import { labelNames } from '@deblox/actions/made'
import { type Allowance, type Allowances, type Quota, rulesOn } from '@deblox/fleet/allowances'
import type { IndexedRow } from '@deblox/fleet/index'

/** By which rules something was let in; nothing of what asks nothing of a dock. */
export interface Admitted {
  rules?: Rules
  /** How much each container that it makes may take, and how much its owner may have; absent where it makes none. */
  takes?: { owner: string; size: Size; quota: Quota | undefined }
}

/** Whose something is or will be, and where. */
interface Whose {
  identity: Identity
  owner: string
  hostname?: string
  /** The container that it is about, where there is one. */
  row?: IndexedRow
}

/**
 * Makes the function that asks an action what it may ask of a dock, by the rules that hold for its owner. It throws
 * `admission_denied` or `invalid_request`.
 */
export function admittedBy(allowances: Pick<Allowances, 'of'>) {
  return async (action: Action, params: object, { identity, owner, hostname, row }: Whose): Promise<Admitted> => {
    if (!action.admit) return {}
    const allowance = identity.role === 'admin' ? unbounded : await allowances.of(owner)
    const rules = row ? withinSize(rulesOn(allowance, hostname), allowance, row) : rulesOn(allowance, hostname)
    const size = action.admit(params, rules)
    return { rules, ...(size && { takes: { owner, size, quota: allowance.quota } }) }
  }
}

/** What an owner takes over with a container that is given to him: it counts against his quota, whoever gives it. */
export async function takenOver(
  allowances: Pick<Allowances, 'of'>,
  owner: string,
  { labels }: IndexedRow,
): Promise<NonNullable<Admitted['takes']>> {
  const size = { memory: Number(labels[labelNames.memory]) || 0, cpus: Number(labels[labelNames.cpus]) || 0 }
  return { owner, size, quota: (await allowances.of(owner)).quota }
}

/** How many jobs somebody may have that have not ended, where that is bounded for him. */
export async function boundOf(
  allowances: Pick<Allowances, 'of'>,
  { role, subject }: Identity,
): Promise<{ most?: number }> {
  const { quota } = role === 'admin' ? unbounded : await allowances.of(subject)
  return quota?.jobs === undefined ? {} : { most: quota.jobs }
}

/** Nobody bounds an admin but the docks themselves. */
const unbounded: Allowance = { rules: { profile: 'privileged' } }

/** Where an owner's limits are bounded in sum, a container keeps within those that it was made with. */
function withinSize(rules: Rules, { quota = {} }: Allowance, { labels }: IndexedRow): Rules {
  const made = (name: string): number => Number(labels[name]) || 0
  return stricter(rules, {
    profile: 'privileged',
    ...(quota.memory !== undefined && { memory: made(labelNames.memory) }),
    ...(quota.cpus !== undefined && { cpus: made(labelNames.cpus) }),
  })
}
