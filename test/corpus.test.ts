import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readAction } from '../apps/worker/src/run-action'
import { actions } from '../libs/actions/src/registry'
import { type JobPayload, payloadVersion } from '../libs/fleet/src/job'
import { isNewer, parsePayload } from '../libs/fleet/src/payload'
import { repository } from './support/repository'

/**
 * What each release has put on topics, one file for each action and shape, as it stood in Redis. A worker takes all of it: jobs
 * outlive the release that accepted them. Nothing in here is ever changed. A release that raises `payloadVersion`, or gives
 * an action a field, adds files: in the new version's folder, the payloads of its own API, copied from a topic
 * (`redis-cli hget <prefix>:<topic>:<job>.<slot> data`).
 */
const corpus = join(repository, 'test/corpus')

const versions = readdirSync(corpus).sort()

const payloads = versions.flatMap((version) =>
  readdirSync(join(corpus, version)).map((file) => ({
    version,
    file,
    data: JSON.parse(readFileSync(join(corpus, version, file), 'utf8')) as JobPayload,
  })),
)

test('there is a folder for every version up to this one', () => {
  expect(versions).toEqual(Array.from({ length: payloadVersion }, (_, n) => `v${n + 1}`))
})

test.each(versions)('%s has a payload of every action that there is, or was then', (version) => {
  const own = new Set(payloads.filter((one) => one.version === version).map(({ data }) => data.action))
  const missing = [...actions.keys()].filter((name) => !own.has(name))
  // Actions that are younger than a version need no payload of it.
  expect(version === versions.at(-1) ? missing : []).toEqual([])
  expect(own.size).toBeGreaterThan(10)
})

describe.each(payloads)('$version/$file', ({ version, file, data }) => {
  test('is what its name says', () => {
    expect(`v${data.v}`).toBe(version)
    expect(basename(file, '.json').split('.')[0]).toBe(data.action)
  })

  test('is taken as it is, and its action and fields are understood', () => {
    expect(isNewer(data)).toBe(false)
    expect(parsePayload(data)).toEqual(data)
    expect(readAction(parsePayload(data)).action.name).toBe(data.action)
  })

  test('of a version to come is left for a newer worker', () => {
    expect(isNewer({ ...data, v: payloadVersion + 1 })).toBe(true)
  })
})
