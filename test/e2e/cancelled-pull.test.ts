import { EngineBehindProxy } from '../support/engine-proxy'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import type { RunningProcess } from '../support/processes'
import { sharedEngines } from '../support/shared'
import { startSlowRegistry } from '../support/slow-registry'
import { accepted, ended } from './jobs'

/** The pull itself would go on for an hour. */
const soon = { within: 5_000 }

let engine: EngineBehindProxy
let fleet: Fleet
let registry: RunningProcess

beforeAll(async () => {
  const [real] = sharedEngines()
  if (!real) throw new Error('expected a shared engine, got none')
  engine = await EngineBehindProxy.before(real)
  registry = await startSlowRegistry(real)
  fleet = await startFleet({ docks: 1, engines: [engine] })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await registry.kill()
  await engine.close()
}, 60_000)

test.each([
  ['create', '/v1/containers', { hostname: 'dock1' }],
  ['create from the cluster topic', '/v1/containers', {}],
  ['pull', '/v1/docks/dock1/images', {}],
])(
  'a %s that is cancelled pulls no longer',
  async (_, path, fields) => {
    const from = registry.lines.length
    const id = await accepted(fleet, 'POST', path, { image: `not-there-${from}`, ...fields })
    const asked = await registry.waitForLine(/^asked/, { from })
    expect(pulls()).toHaveLength(1)
    await fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/cancel`)
    expect(await ended(fleet, id)).toMatchObject({ state: 'cancelled' })
    // The worker leaves the daemon, and the daemon the registry.
    await eventually(() => expect(pulls()).toEqual([]), undefined, soon)
    await registry.waitForLine(new RegExp(`^${asked.replace('asked', 'left')}$`), { ...soon, from })
  },
  30_000,
)

const pulls = () => engine.underWay.filter((path) => path.endsWith('/images/create'))
