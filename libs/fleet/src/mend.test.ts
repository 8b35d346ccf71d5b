import { useFleet } from '../../../test/support/fleet-on-redis'
import { dockTopic } from './names'
import { mendActive } from './mend'
import { recordOn } from './testing/record'
import { take } from './testing/taking'

const use = useFleet()
const topic = dockTopic('dock-1')

/** A job that was taken, and the key of BullMQ's record of it. */
async function taken(): Promise<string> {
  await use.fleet().jobs.accept({ record: recordOn(use.fleet().keys.replies('replica')) })
  const { id } = await take(use.fleet(), topic)
  return `${use.fleet().prefix}:${topic}:${id}`
}

test.each([
  ['opts', '{"no": JSON'],
  ['opts', '3'],
  ['opts', 'null'],
  ['progress', '{"no": JSON'],
  ['stacktrace', 'text'],
  ['ats', 'many'],
  ['ats', '-1'],
  ['atm', '1e99'],
  ['stc', '99999999999'],
  ['id', 'another'],
  ['parent', '{"id":"1"}'],
  ['parentKey', 'deblox:1'],
  ['rjk', 'every day'],
  ['nrjid', '1'],
  ['deid', '1'],
])('a %s of %j, over which BullMQ fails, is removed, and the job is looked for at once', async (field, value) => {
  const key = await taken()
  const data = await use.redis().hget(key, 'data')
  await use.redis().hset(key, field, value)
  await mendActive(use.fleet(), topic)
  await expect(use.redis().hget(key, field)).resolves.toBeNull()
  await expect(use.redis().exists(`${key}:lock`)).resolves.toBe(0)
  await expect(use.redis().hget(key, 'data')).resolves.toBe(data)
})

test.each([
  ['progress', '3'],
  ['progress', '"half"'],
  ['ats', '12'],
  ['opts', '{"attempts":1}'],
  ['stacktrace', '[]'],
])('a %s of %j is sound: it stays, and so does the lock', async (field, value) => {
  const key = await taken()
  await use.redis().hset(key, field, value)
  await mendActive(use.fleet(), topic)
  await expect(use.redis().hget(key, field)).resolves.toBe(value)
  await expect(use.redis().exists(`${key}:lock`)).resolves.toBe(1)
})

test('what waits is left for when it is taken', async () => {
  const record = recordOn(use.fleet().keys.replies('replica'))
  await use.fleet().jobs.accept({ record })
  const key = `${use.fleet().prefix}:${topic}:${record.id}.1`
  await use.redis().hset(key, 'progress', '{"no": JSON')
  await mendActive(use.fleet(), topic)
  await expect(use.redis().hget(key, 'progress')).resolves.toBe('{"no": JSON')
})
