import { type JobRecord, payloadOf } from '@deblox/fleet/job'
import { leastAllowance } from '@deblox/fleet/allowances'
import { dockTopic } from '@deblox/fleet/names'
import { accessTo } from '../../apps/api/src/access'
import type { Admission } from '../../apps/api/src/admission'
import { jobRoutes } from '../../apps/api/src/routes/jobs'
import type { Desk } from '../../apps/api/src/submit'
import { type Asker, caller } from '../../apps/api/src/testing/desk-double'
import { Waiter } from '../../apps/api/src/wait'
import { completed, failed, recordOn } from '../../libs/fleet/src/testing/record'
import { useFleet } from './fleet-on-redis'

export const topics = ['dock-1', 'dock-2'].map(dockTopic)

interface Shown {
  id: string
  state: string
  actor: string
  retryOf: string | null
  error: { code: string } | null
}

/** For owners of whom nobody has said anything. */
const unused = { allowances: { of: async () => leastAllowance }, quotas: { reserve: async () => {} } } as Pick<
  Desk,
  'allowances' | 'quotas'
>

/** The routes of jobs on a real Redis, without a dock that would carry anything out. */
export function useJobsDesk() {
  const use = useFleet()
  const jobs = () => use.fleet().jobs

  function desk(job: Admission['job'] = async () => {}) {
    const admission = { job } as Admission
    const { keys } = use.fleet()
    const waiter = new Waiter(jobs())
    const access = accessTo(use.fleet().index, async () => [])
    const routes = jobRoutes({
      ...unused,
      fleet: use.fleet(),
      access,
      waiter,
      admission,
      replyTo: keys.replies('this'),
    })
    const ask = async (path: string, fields: object, who: Asker = {}) => {
      const route = routes.find((one) => one.path === path)
      if (!route) throw new Error(`expected a route of ${path}, got none`)
      const { status, body, headers } = await route.handle({ ...fields }, caller(who))
      return {
        status,
        headers,
        job: (body as { job: Shown }).job,
        body: body as Shown & { items: Shown[]; nextCursor: string | null },
      }
    }
    return {
      cancel: (id: string, who?: Asker) => ask('/v1/jobs/:id/cancel', { id }, who),
      retry: (id: string, who?: Asker) => ask('/v1/jobs/:id/retry', { id }, who),
      show: (id: string, who?: Asker) => ask('/v1/jobs/:id', { id }, who),
      list: (who?: Asker, limit = 10, cursor?: string | null) =>
        ask('/v1/jobs', { limit, ...(cursor && { cursor }) }, who),
    }
  }

  async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
    const record = recordOn(use.fleet().keys.replies('replica'), { topics, numbered: true, ...more })
    await jobs().accept({ record })
    return record
  }

  /** A job of which one slot has completed and the other has failed. */
  async function halfDone(): Promise<JobRecord> {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), completed(1))
    await jobs().finish(payloadOf(record, 2), failed(2))
    for (const topic of topics) await use.fleet().topics.queue(topic).drain()
    return record
  }

  const onTopics = () =>
    Promise.all(topics.map((topic) => use.fleet().topics.queue(topic).getJobCountByTypes('waiting')))

  return { use, jobs, desk, accepted, halfDone, onTopics }
}
