import { DebloxError } from '@deblox/actions/errors'
import { ReplyError } from 'ioredis'
import { ifReadable } from './readable-job'
import { completed, recordOn } from './testing/record'

const record = recordOn('replies')
const reading = { record, slots: [completed()], places: [] }

test('a job that can be shown is read', async () => {
  await expect(ifReadable(record.id, Promise.resolve(reading))).resolves.toBe(reading)
})

test.each([
  ['does not answer', new Error('Connection is closed.')],
  ['is away', new DebloxError('redis_unavailable', 'away')],
  ['reads its data', Object.assign(new ReplyError('LOADING Redis is loading the dataset in memory'))],
  ['does not let it', Object.assign(new ReplyError('NOPERM this user has no permissions'))],
])('it is not taken for one that cannot be read where Redis %s', async (_, error: Error) => {
  await expect(ifReadable(record.id, Promise.reject(error))).rejects.toBe(error)
})
