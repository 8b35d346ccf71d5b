import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint, flattenedVerify, importJWK } from 'jose'
import { addKey, dropOldKey, openApiKeys } from './api-keys'
import { type PublicKey, verifierOf } from './public-keys'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deblox-keys-'))
  file = join(folder, 'state', 'api-keys.json')
})

afterEach(() => rm(folder, { recursive: true }))

const secretOf = async (label: string) => (await openApiKeys(file)).macKey(label).export().toString('hex')

test('are made once, in a file that nobody else can read, and are the same ever after', async () => {
  const first = await openApiKeys(file)
  expect((await openApiKeys(file)).set).toEqual(first.set)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(join(folder, 'state'))).toEqual(['api-keys.json'])
})

test('are the same for replicas of one machine that make them at once', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => openApiKeys(file)))
  expect(new Set(all.map(({ set }) => set.keys[0]?.x)).size).toBe(1)
})

test.each([0o640, 0o604, 0o660, 0o602])(
  'are refused in a file of mode %i, and nothing of them is told',
  async (mode) => {
    await openApiKeys(file)
    await chmod(file, mode)
    await expect(openApiKeys(file)).rejects.toThrow(/^DEBLOX_SIGNING_KEYS: expected .*chmod 600.*got mode \d+$/)
  },
)

test.each([
  ['nothing', () => ''],
  ['no JSON', () => '{'],
  ['no secret', (set: Set) => JSON.stringify({ ...set, keys: set.keys.slice(1) })],
  ['no signing key', (set: Set) => JSON.stringify({ ...set, keys: set.keys.slice(0, 1) })],
  [
    'halves of two keys',
    (set: Set) => JSON.stringify({ ...set, keys: [set.keys[0], { ...set.keys[1], x: 'A'.repeat(43) }] }),
  ],
  [
    'another field',
    (set: Set) => JSON.stringify({ ...set, keys: [set.keys[0], { ...set.keys[1], jku: 'https://x' }] }),
  ],
])('a file with %s is refused in one line without its text, and is left as it is', async (_, change) => {
  await openApiKeys(file)
  const set = JSON.parse(await readFile(file, 'utf8')) as Set
  const text = change(set)
  await writeFile(file, text)
  const told = await openApiKeys(file).catch((error: Error) => error.message)
  expect(told).toMatch(/^DEBLOX_SIGNING_KEYS: expected .*$/)
  for (const { d, k } of set.keys) expect(told).not.toContain(d ?? k)
  await expect(readFile(file, 'utf8')).resolves.toBe(text)
})

interface Set {
  version: number
  keys: { k?: string; d?: string; x?: string }[]
}

test('a folder that cannot keep them is told of in one line', async () => {
  await expect(openApiKeys('/etc/hostname/keys.json')).rejects.toThrow(/^DEBLOX_SIGNING_KEYS: expected .*ENOTDIR.*$/)
})

test('what they sign is a detached JWS that jose verifies, over exactly the bytes of the text', async () => {
  const keys = await openApiKeys(file)
  const [key] = keys.set.keys as [PublicKey]
  const text = '{"name":"größe ✓","a":1}'
  const [header, payload, signature] = keys.sign(text, 'deblox-job').split('.') as [string, string, string]
  expect(payload).toBe('')
  const verified = (body: string) =>
    importJWK(key, 'EdDSA').then((imported) =>
      flattenedVerify({ payload: body, protected: header, signature }, imported, { algorithms: ['EdDSA'] }),
    )
  expect((await verified(text)).protectedHeader).toEqual({
    alg: 'EdDSA',
    b64: false,
    crit: ['b64'],
    kid: await calculateJwkThumbprint(key),
    typ: 'deblox-job',
  })
  await expect(verified(text.replace('1', '2'))).rejects.toThrow('signature verification failed')
})

test('a secret for MACs is another one for each label, and outlives a change of keys', async () => {
  const before = await Promise.all([secretOf('tokens'), secretOf('records')])
  expect(new Set(before).size).toBe(2)
  expect(before[0]).toHaveLength(64)
  await addKey(file)
  await dropOldKey(file)
  expect(await Promise.all([secretOf('tokens'), secretOf('records')])).toEqual(before)
})

describe('when they are changed', () => {
  test('the new key signs, the old one is believed until it is dropped', async () => {
    const old = await openApiKeys(file)
    const both = await addKey(file)
    expect(both.set.keys.slice(1)).toEqual(old.set.keys)
    expect(both.set.version).toBe(2)
    const verify = verifierOf(both.set, 'deblox-job')
    expect(verify('text', old.sign('text', 'deblox-job'))).toEqual({ by: old.set.keys[0]?.kid })
    expect(verify('text', both.sign('text', 'deblox-job'))).toEqual({ by: both.set.keys[0]?.kid })
    const last = await dropOldKey(file)
    expect(last.set).toEqual({ version: 3, keys: both.set.keys.slice(0, 1) })
    expect(verifierOf(last.set, 'deblox-job')('text', old.sign('text', 'deblox-job'))).toBe('unknown')
    expect((await openApiKeys(file)).set).toEqual(last.set)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('there are never three, nor none, nor any without a file', async () => {
    await expect(addKey(file)).rejects.toThrow('got none')
    await openApiKeys(file)
    await expect(dropOldKey(file)).rejects.toThrow('add one first')
    await addKey(file)
    await expect(addKey(file)).rejects.toThrow('drop the older one first')
  })
})
