import type { DebloxError } from '@deblox/actions/errors'
import { type JobRecord, payloadOf } from '@deblox/fleet/job'
import { failed } from '../../../../libs/fleet/src/testing/record'
import { topics, useJobsDesk } from '../../../../test/support/jobs-desk'
import type { Asker } from '../testing/desk-double'

const { use, jobs, desk, accepted, halfDone } = useJobsDesk()

describe('for somebody who is no admin', () => {
  const ben: Asker = { actor: 'ben', role: 'deployer' }
  const tell = (failing: Promise<unknown>) => failing.catch(({ status, message }: DebloxError) => [status, message])

  test.each(['show', 'cancel', 'retry'] as const)(
    '%s: a foreign job is answered as one that is not there',
    async (what) => {
      const { id } = await halfDone()
      const hidden = await tell(desk()[what](id, ben))
      await use.redis().del(use.fleet().keys.job(id))
      expect(hidden).toEqual(await tell(desk()[what](id, ben)))
      expect(hidden).toEqual([404, expect.stringContaining(id)])
    },
  )

  test('the list has what he asked for and what was done to what is his, page by page', async () => {
    const [, own, about] = [
      await accepted(),
      await accepted({ actor: 'ben' }),
      await accepted({ owner: 'ben' }),
      await accepted({ owner: 'team:ops' }),
    ]
    const listed = async (who: Asker) => (await desk().list(who)).body.items.map(({ id }) => id)
    expect(await listed(ben)).toEqual([about.id, own.id])
    expect(await listed({ ...ben, identity: { subject: 'ben', teams: ['ops'], role: 'viewer' } })).toHaveLength(3)
    const first = await desk().list(ben, 1)
    expect(first.body.items.map(({ id }) => id)).toEqual([about.id])
    const second = await desk().list(ben, 1, first.body.nextCursor)
    expect(second.body.items.map(({ id }) => id)).toEqual([own.id])
  })

  test('what others ask of his container he cancels only if he could ask for it', async () => {
    const { id } = await accepted({ owner: 'ben' })
    await expect(desk().cancel(id, { ...ben, role: 'viewer' })).rejects.toMatchObject({ code: 'forbidden' })
    expect(await desk().cancel(id, { ...ben, role: 'operator' })).toMatchObject({ status: 200 })
  })

  test('what he has asked for he tries again only while he could ask for it', async () => {
    const { id } = await accepted({
      actor: 'ben',
      owner: 'ben',
      action: 'create-container',
      params: { image: 'busybox' },
    })
    for (const slot of [1, 2]) await jobs().finish(payloadOf(await recordOf(id), slot), failed(slot))
    await expect(desk().retry(id, { ...ben, role: 'operator' })).rejects.toMatchObject({ code: 'forbidden' })
    expect(await desk().retry(id, ben)).toMatchObject({ job: { retryOf: id } })
  })

  test('it is tried again by his rules, not by those of whoever asked first', async () => {
    const params = { image: 'busybox', network: 'host' }
    const { id } = await accepted({
      owner: 'ben',
      action: 'create-container',
      params,
      rules: { profile: 'privileged' },
    })
    for (const slot of [1, 2]) await jobs().finish(payloadOf(await recordOf(id), slot), failed(slot))
    await expect(desk().retry(id, ben)).rejects.toMatchObject({ code: 'admission_denied' })
    expect(await desk().retry(id)).toMatchObject({ job: { retryOf: id } })
  })

  describe('a right that has ended', () => {
    const id = 'ab'.repeat(32)
    const own = { action: 'stop-container', params: { id } }
    const failedJob = async (more: Partial<JobRecord>) => {
      const record = await accepted({ ...own, topics: topics.slice(0, 1), ...more })
      await jobs().finish(payloadOf(record, 1), failed())
      return record
    }
    const isThere = async () => {
      await use.fleet().docks.register('dock-1')
      await use.fleet().index.write('dock-1', [rowOf(id, 'anna')], [])
    }

    test('is not used again by a retry: the container is there, and hidden from him', async () => {
      await isThere()
      for (const given of [{ owner: 'anna' }, {}]) {
        const job = await failedJob({ actor: 'ben', given })
        await expect(desk().retry(job.id, ben)).rejects.toMatchObject({ code: 'container_not_found' })
      }
    })

    test('where it is gone he may ask, for what would be his', async () => {
      const job = await failedJob({ actor: 'ben', given: {} })
      const { id: retry } = (await desk().retry(job.id, ben)).job
      expect((await jobs().status(retry)).record).toMatchObject({ given: { owner: 'ben' } })
    })
  })
})

const rowOf = (id: string, owner: string) => ({
  id,
  owner,
  name: 'web',
  dock: 'dock-1',
  image: 'busybox',
  state: 'running',
  status: 'Up',
  labels: {},
  createdAt: '',
  observedAt: '',
})

const recordOf = async (id: string): Promise<JobRecord> => (await jobs().status(id)).record
