import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { otherKeys } from '../testing/keys'
import { addKey, type ApiKeys, dropOldKey, openApiKeys } from './api-keys'
import { PinnedKeys } from './pin'
import { fingerprint } from './public-keys'
import { publishKeys } from './publish'

const use = useFleet()
const keyOf = () => `${use.fleet().prefix}:keys`
let folder: string
let api: string
let lines: { fingerprint?: string; msg: string }[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deblox-pins-'))
  api = join(folder, 'api.json')
  lines = []
})

afterEach(() => rm(folder, { recursive: true }))

const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) })

const publish = async (keys: ApiKeys) => publishKeys(use.redis(), keyOf(), keys)

const worker = (given?: string, name = 'worker.json') =>
  PinnedKeys.open({ file: join(folder, name), given, published: () => use.redis().get(keyOf()) }, log)

const believes = (pinned: PinnedKeys, keys: ApiKeys) =>
  pinned.require('text', keys.sign('text', 'deblox-job')).then(
    () => true,
    (error: { code: string }) => (error.code === 'bad_signature' ? false : Promise.reject(error)),
  )

test('the first keys that are seen are believed, told of, and believed after a restart without Redis', async () => {
  const keys = await openApiKeys(api)
  const pinned = await worker()
  await expect(believes(pinned, keys)).resolves.toBe(false)
  await publish(keys)
  await expect(believes(pinned, keys)).resolves.toBe(true)
  expect(lines.map((line) => line.fingerprint)).toEqual([fingerprint(keys.set)])
  await use.redis().del(keyOf())
  const again = await worker()
  expect(again.fingerprint).toBe(fingerprint(keys.set))
  await expect(believes(again, keys)).resolves.toBe(true)
})

test('a text is believed only as what it was signed as', async () => {
  const keys = await openApiKeys(api)
  await publish(keys)
  const pinned = await worker()
  await expect(pinned.require('text', keys.sign('text', 'deblox-call'), 'deblox-call')).resolves.toBeUndefined()
  const refused = { code: 'bad_signature' }
  await expect(pinned.require('text', keys.sign('text', 'deblox-call'))).rejects.toMatchObject(refused)
  await expect(pinned.require('text', keys.sign('text', 'deblox-job'), 'deblox-call')).rejects.toMatchObject(refused)
})

test('what Redis says later changes nothing, and is told of once', async () => {
  const keys = await openApiKeys(api)
  await publish(keys)
  const pinned = await worker()
  await pinned.look()
  const forged = otherKeys()
  await use.redis().del(keyOf())
  await publish(forged)
  for (let round = 0; round < 3; round++) await expect(believes(pinned, forged)).resolves.toBe(false)
  await expect(believes(pinned, keys)).resolves.toBe(true)
  expect(lines.filter(({ msg }) => msg.includes('not believed'))).toHaveLength(1)
  await use.redis().set(keyOf(), '{"what":')
  await expect(believes(pinned, forged)).resolves.toBe(false)
  await expect(believes(pinned, keys)).resolves.toBe(true)
})

test('a set that its own keys have not signed is not believed the first time either', async () => {
  const forged = otherKeys()
  const set = JSON.stringify(forged.set)
  await use.redis().set(keyOf(), JSON.stringify([{ set, signatures: [otherKeys().sign(set, 'deblox-keys')] }]))
  await expect(believes(await worker(), forged)).resolves.toBe(false)
})

describe('when the keys are changed', () => {
  let old: ApiKeys
  let both: ApiKeys
  let last: ApiKeys

  beforeEach(async () => {
    old = await openApiKeys(api)
    await publish(old)
  })

  const changeAll = async () => {
    both = await addKey(api)
    await publish(both)
    last = await dropOldKey(api)
    await publish(last)
  }

  test('both are believed, and after that only the new one', async () => {
    const pinned = await worker()
    await pinned.look()
    both = await addKey(api)
    await publish(both)
    await expect(believes(pinned, both)).resolves.toBe(true)
    await expect(believes(pinned, old)).resolves.toBe(true)
    last = await dropOldKey(api)
    await publish(last)
    await pinned.look()
    await expect(believes(pinned, last)).resolves.toBe(true)
    await expect(believes(pinned, old)).resolves.toBe(false)
  })

  test('a worker that was away meanwhile follows, step by step', async () => {
    const away = await worker()
    await away.look()
    await changeAll()
    await changeAll()
    const back = await worker()
    expect(back.fingerprint).toBe(fingerprint(old.set))
    await expect(believes(back, last)).resolves.toBe(true)
    await expect(believes(back, old)).resolves.toBe(false)
  })

  test('a key that was dropped brings nothing back, though it was believed once', async () => {
    const pinned = await worker()
    await changeAll()
    await pinned.look()
    const kept = await use.redis().get(keyOf())
    const documents = JSON.parse(kept as string) as unknown[]
    // What was published before, and what the dropped key could sign now, with a version as high as one likes.
    const set = JSON.stringify({ ...old.set, version: 99 })
    for (const forged of [documents.slice(0, 2), [{ set, signatures: [old.sign(set, 'deblox-keys')] }]]) {
      await use.redis().set(keyOf(), JSON.stringify(forged))
      await pinned.look()
      await expect(believes(pinned, old)).resolves.toBe(false)
      await expect(believes(pinned, last)).resolves.toBe(true)
    }
  })
})

describe('where a file of keys is given', () => {
  test('Redis is not asked, and the file may be changed', async () => {
    const [keys, next] = [await openApiKeys(api), otherKeys()]
    const given = join(folder, 'given.json')
    await writeFile(given, JSON.stringify(keys.set), { mode: 0o644 })
    await publish(next)
    const pinned = await worker(given)
    await expect(believes(pinned, keys)).resolves.toBe(true)
    await expect(believes(pinned, next)).resolves.toBe(false)
    await writeFile(given, JSON.stringify({ keys: [next.set.keys[0], keys.set.keys[0]] }))
    await expect(believes(pinned, next)).resolves.toBe(true)
    await expect(readFile(join(folder, 'worker.json'), 'utf8')).rejects.toThrow('ENOENT')
  })

  test('one that is missing, or that others may write, ends the start in one line', async () => {
    const given = join(folder, 'given.json')
    await expect(worker(given)).rejects.toThrow(/^DEBLOX_API_KEYS: expected .*got none$/)
    await writeFile(given, JSON.stringify(otherKeys().set))
    await chmod(given, 0o666)
    await expect(worker(given)).rejects.toThrow(/^DEBLOX_API_KEYS: expected .*got mode 666$/)
  })
})

describe('a replica', () => {
  test('with the same keys publishes nothing, also when all do it at once', async () => {
    const keys = await openApiKeys(api)
    await Promise.all(Array.from({ length: 10 }, () => publish(keys)))
    expect(JSON.parse((await use.redis().get(keyOf())) as string)).toHaveLength(1)
  })

  test('with other keys, or with an older set, does not start, and tells both in one line', async () => {
    const [mine, theirs] = [otherKeys(), await openApiKeys(api)]
    await publish(theirs)
    const both = [fingerprint(theirs.set), fingerprint(mine.set)]
    const told = await publish(mine).catch((error: Error) => error.message)
    expect(told).toMatch(/^DEBLOX_SIGNING_KEYS: .*$/)
    for (const one of both) expect(told).toContain(one)
    await publish(await addKey(api))
    await expect(publish(theirs)).rejects.toThrow('DEBLOX_SIGNING_KEYS')
  })

  test('that finds something else there says so in one line', async () => {
    await use.redis().set(keyOf(), 'x')
    await expect(publish(otherKeys())).rejects.toThrow(/^REDIS_URL: expected the API's public keys in .*$/)
  })
})
