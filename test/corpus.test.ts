import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readAction } from '../apps/worker/src/run-action'
import { actions } from '../libs/actions/src/registry'
import { payloadVersion, type SignedJob } from '../libs/fleet/src/job'
import { isNewer, openJob, parsePayload } from '../libs/fleet/src/payload'
import { badSignature, parsePublicKeys, verifierOf } from '../libs/fleet/src/signing/public-keys'
import { repository } from './support/repository'

/**
 * What each release has put on topics, one file for each action and shape, as it stood in Redis. Nothing in here is ever
 * changed. A worker takes what is signed: jobs outlive the release that accepted them. Those of versions 1 and 2 nobody has
 * signed, and they are refused. A release that raises `payloadVersion`, or gives an action a field, adds files: in the new
 * version's folder, the payloads of its own API, copied from a topic (`redis-cli hget <prefix>:<topic>:<job>.<slot> data`),
 * and beside it the public keys of that API (`redis-cli get <prefix>:api-keys`).
 */
const corpus = join(repository, 'test/corpus')

const versions = readdirSync(corpus)
  .filter((name) => !name.endsWith('.json'))
  .sort()

/** Of versions that are signed the action stands within. */
interface Unsigned {
  v: number
  action: string
}

const jobs = versions.flatMap((version) =>
  readdirSync(join(corpus, version)).map((file) => ({
    version,
    file,
    data: JSON.parse(readFileSync(join(corpus, version, file), 'utf8')) as SignedJob | Unsigned,
  })),
)

const actionOf = (data: SignedJob | Unsigned): string => ('body' in data ? parsePayload(data.body).action : data.action)

/** As a worker does that has pinned the keys of the API of that release. */
const vouchIn = (version: string) => async (text: string, signature: string) => {
  const keys = parsePublicKeys(readFileSync(join(corpus, `${version}.keys.json`), 'utf8'))
  if (typeof verifierOf(keys, 'deblox-job')(text, signature) !== 'object') throw badSignature('it is another one')
}

test('there is a folder for every version up to this one', () => {
  expect(versions).toEqual(Array.from({ length: payloadVersion }, (_, n) => `v${n + 1}`))
})

test.each(versions)('%s has a payload of every action that there is, or was then', (version) => {
  const own = new Set(jobs.filter((one) => one.version === version).map(({ data }) => actionOf(data)))
  const missing = [...actions.values()].filter(({ name, effect }) => effect !== 'read' && !own.has(name))
  // Actions that are younger than a version need no payload of it; what only reads is put on no topic any more.
  expect(version === versions.at(-1) ? missing : []).toEqual([])
  expect(own.size).toBeGreaterThan(10)
})

test.each(jobs)('$version/$file is what its name says, and of no version to come', ({ version, file, data }) => {
  expect(`v${data.v}`).toBe(version)
  expect(basename(file, '.json').split('.')[0]).toBe(actionOf(data))
  expect(isNewer(data)).toBe(false)
  expect(isNewer({ ...data, v: payloadVersion + 1 })).toBe(true)
})

describe.each(jobs.filter(({ data }) => 'body' in data))('$version/$file', ({ version, data }) => {
  const { body } = data as SignedJob

  test('is taken as it is, and its action and fields are understood', async () => {
    const payload = await openJob(data, vouchIn(version))
    expect(payload).toEqual({ ...(JSON.parse(body) as object), signed: data })
    expect(readAction(payload).action.name).toBe(payload.action)
  })

  test('is refused where one character of it is another', async () => {
    const changed = { ...data, body: body.replace('"slot":', '"slot": ') }
    await expect(openJob(changed, vouchIn(version))).rejects.toMatchObject({ code: 'bad_signature' })
  })
})

test.each(jobs.filter(({ data }) => !('body' in data)))(
  '$version/$file is refused, since nobody has signed it',
  async ({ data }) => {
    await expect(openJob(data, async () => {})).rejects.toMatchObject({ code: 'bad_signature' })
  },
)
