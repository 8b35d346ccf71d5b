import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { compactDecrypt, CompactEncrypt } from 'jose'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { testKeys } from '../testing/keys'
import { thumbprint } from './public-keys'
import { seal, type SealKey, sealSession, unseal, unsealSession } from './seal'
import { sealPinsOf } from './seal-pins'

const use = useFleet()

function dockKey(): { secret: KeyObject; key: SealKey } {
  const secret = generateKeyPairSync('x25519').privateKey
  const { kty, crv, x } = secret.export({ format: 'jwk' }) as unknown as SealKey
  return { secret, key: { kty, crv, x, kid: thumbprint({ kty, crv, x }) } }
}

const { secret, key } = dockKey()
const secrets = { env: { PASSWORD: 'größe ✓' }, registry: { username: 'anna', password: 'x' } }
const meant = { jobId: 'job-1', slot: 2, dock: 'dock-1' }

describe('what is sealed', () => {
  test('is opened by the dock for which it is, as it was', async () => {
    await expect(unseal(await seal(secrets, meant, key), meant, secret)).resolves.toEqual(secrets)
  })

  test('is another text each time, in which nothing of it is to be seen', async () => {
    const [one, two] = [await seal(secrets, meant, key), await seal(secrets, meant, key)]
    expect(one).not.toBe(two)
    const parts = one.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    expect(parts.join()).not.toMatch(/PASSWORD|anna/)
  })

  test.each([
    ['another job', { ...meant, jobId: 'job-2' }],
    ['another slot', { ...meant, slot: 1 }],
    ['another dock', { ...meant, dock: 'dock-2' }],
  ])('is not opened for %s', async (_, other) => {
    await expect(unseal(await seal(secrets, meant, key), other, secret)).rejects.toMatchObject({
      code: 'bad_signature',
    })
  })

  test('is not opened by another dock, nor when it was changed', async () => {
    const sealed = await seal(secrets, meant, key)
    await expect(unseal(sealed, meant, dockKey().secret)).rejects.toMatchObject({ code: 'bad_signature' })
    for (const at of [10, sealed.length - 30, sealed.length - 5]) {
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
      await expect(unseal(changed, meant, secret)).rejects.toMatchObject({ code: 'bad_signature' })
    }
  })

  test('is a JWE that jose opens; one of another kind is refused', async () => {
    const { protectedHeader } = await compactDecrypt(await seal(secrets, meant, key), secret)
    expect(protectedHeader).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: key.kid })
    const text = Buffer.from(JSON.stringify({ ...meant, secrets }))
    const others = [
      { alg: 'ECDH-ES', enc: 'A256GCM' },
      { alg: 'ECDH-ES', enc: 'A128CBC-HS256', typ: 'deblox-secrets' },
      { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', typ: 'deblox-secrets' },
    ]
    for (const header of others) {
      const sealed = await new CompactEncrypt(text).setProtectedHeader(header).encrypt(key)
      await expect(unseal(sealed, meant, secret)).rejects.toMatchObject({ code: 'bad_signature' })
    }
  })
})

describe('a session’s secret', () => {
  const sessionOf = { replica: 'replica-1', dock: 'dock-1', incarnation: 'run-1' }
  const bytes = Buffer.alloc(32, 7)

  test('is opened by the dock for which it is, as it was', async () => {
    await expect(unsealSession(await sealSession(bytes, sessionOf, key), sessionOf, secret)).resolves.toEqual(bytes)
  })

  test.each([
    ['another replica', { ...sessionOf, replica: 'replica-2' }],
    ['another dock', { ...sessionOf, dock: 'dock-2' }],
    ['another run of its worker', { ...sessionOf, incarnation: 'run-2' }],
  ])('is not opened for %s', async (_, other) => {
    const sealed = await sealSession(bytes, sessionOf, key)
    await expect(unsealSession(sealed, other, secret)).rejects.toMatchObject({ code: 'bad_signature' })
  })

  test('is of 32 bytes', async () => {
    const sealed = await sealSession(Buffer.alloc(31), sessionOf, key)
    await expect(unsealSession(sealed, sessionOf, secret)).rejects.toMatchObject({ code: 'bad_signature' })
  })

  test('is not opened as secrets of a job, nor the other way round', async () => {
    const refused = { code: 'bad_signature', message: expect.stringContaining('that this dock can open') }
    await expect(unseal(await sealSession(bytes, sessionOf, key), meant, secret)).rejects.toMatchObject(refused)
    await expect(unsealSession(await seal(secrets, meant, key), sessionOf, secret)).rejects.toMatchObject(refused)
  })
})

describe('to whom it is sealed', () => {
  const keys = () => ({
    dock: (hostname: string) => `${use.fleet().prefix}:dock:${hostname}`,
    sealPin: (hostname: string) => `${use.fleet().prefix}:seal-pin:${hostname}`,
  })
  const replica = (label = 'seal-pins') => sealPinsOf(use.redis(), keys(), testKeys.macKey(label), () => 1_000)
  const tell = (told: string) => use.redis().hset(keys().dock('dock-1'), 'seal', told)

  test('is the key that the dock told first, for every replica', async () => {
    await tell(JSON.stringify(key))
    await expect(replica().keyOf('dock-1')).resolves.toEqual(key)
    await expect(replica().keyOf('dock-1')).resolves.toEqual(key)
    await tell(JSON.stringify(dockKey().key))
    await expect(replica().keyOf('dock-1')).rejects.toMatchObject({ code: 'dock_replaced' })
  })

  test('is no other key for a replica that has seen the first one, though Redis has forgotten it', async () => {
    await tell(JSON.stringify(key))
    const one = replica()
    await one.keyOf('dock-1')
    await use.redis().del(keys().sealPin('dock-1'))
    await tell(JSON.stringify(dockKey().key))
    await expect(one.keyOf('dock-1')).rejects.toMatchObject({ code: 'dock_replaced' })
  })

  test('is no key that somebody else has written down as the first one', async () => {
    const forged = dockKey().key
    await tell(JSON.stringify(forged))
    await replica('of somebody else').keyOf('dock-1')
    await expect(replica().keyOf('dock-1')).rejects.toMatchObject({ code: 'dock_replaced' })
  })

  test('is nobody where the dock has told none, or something else', async () => {
    await expect(replica().keyOf('dock-1')).rejects.toMatchObject({ code: 'no_dock_ready' })
    for (const told of ['x', '{}', JSON.stringify({ ...key, crv: 'Ed25519' }), JSON.stringify({ ...key, d: key.x })]) {
      await tell(told)
      await expect(replica().keyOf('dock-1')).rejects.toMatchObject({ code: 'dock_replaced' })
    }
  })

  test('is the next key once the dock was unregistered, for every replica, and that is not undone by what Redis had before', async () => {
    await tell(JSON.stringify(key))
    const [one, two] = [replica(), replica()]
    await one.keyOf('dock-1')
    await two.keyOf('dock-1')
    await one.forget('dock-1')
    const forgotten = await use.redis().get(keys().sealPin('dock-1'))
    const next = dockKey().key
    await tell(JSON.stringify(next))
    await expect(two.keyOf('dock-1')).resolves.toEqual(next)
    await expect(one.keyOf('dock-1')).resolves.toEqual(next)
    await use.redis().set(keys().sealPin('dock-1'), forgotten as string)
    await tell(JSON.stringify(key))
    await expect(two.keyOf('dock-1')).rejects.toMatchObject({ code: 'dock_replaced' })
  })
})
