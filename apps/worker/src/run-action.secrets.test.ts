import { generateKeyPairSync } from 'node:crypto'
import { thumbprint } from '@deblox/fleet/signing/public-keys'
import { seal, type SealKey } from '@deblox/fleet/signing/seal'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { runAction } from './run-action'
import { payloadOf } from './run-context'
import { runContextDouble, slotOf } from './testing/run-context-double'

const double = useDockerDouble()
const sealKey = generateKeyPairSync('x25519').privateKey
const { kty, crv, x } = sealKey.export({ format: 'jwk' }) as unknown as SealKey
const key: SealKey = { kty, crv, x, kid: thumbprint({ kty, crv, x }) }
const secrets = { env: { PASSWORD: 'geheim' }, registry: { username: 'anna', password: 'vertraulich' } }
const meant = { jobId: 'job-7', slot: 1, dock: 'here' }

/** Runs a create of a slot that has something sealed to it. */
async function creating(sealed: string, more: object = {}) {
  const { context } = runContextDouble(double.docker)
  const slot = slotOf('create-container', { image: 'busybox' }, { sealed, ...more })
  return runAction(slot, new AbortController().signal, { ...context, sealKey })
}

test('what is sealed to this dock reaches Docker, and is not in what comes of it', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: 'a'.repeat(64), Warnings: [] } })
  const result = await creating(await seal(secrets, meant, key))
  const { body } = double.asked[0] as { body: { Env: string[]; Labels: Record<string, string> } }
  expect(body.Env).toEqual(['PASSWORD=geheim'])
  expect(body.Labels['deblox.secrets']).toBe('PASSWORD')
  expect(JSON.stringify(result)).not.toMatch(/geheim|vertraulich/)
})

test('a job that tries another one again opens what was sealed for that one', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: 'a'.repeat(64), Warnings: [] } })
  const sealed = await seal(secrets, { ...meant, jobId: 'job-1' }, key)
  await expect(creating(sealed, { origin: 'job-1' })).resolves.toMatchObject({ envelope: { statusCode: 201 } })
  await expect(creating(sealed)).rejects.toMatchObject({ code: 'bad_signature' })
})

test('where Docker repeats a secret it is not in the failure, nor in its cause', async () => {
  const message = 'bad environment "PASSWORD=geheim" for anna:vertraulich'
  double.answer('POST /containers/create', { status: 400, body: { message } })
  const error: unknown = await creating(await seal(secrets, meant, key)).catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'docker_error', status: 400 })
  expect(error).toMatchObject({ message: 'bad environment "PASSWORD=***" for anna:***', cause: undefined })
})

test('nothing that was opened is put on a topic again', async () => {
  const slot = { ...slotOf('create-container', {}), secrets }
  expect(JSON.stringify(payloadOf(slot))).not.toMatch(/geheim|vertraulich/)
})
