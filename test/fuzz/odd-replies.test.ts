import { withDeadline } from '@deblox/actions/deadline'
import { actions } from '@deblox/actions/registry'
import type Docker from 'dockerode'
import { openDocker } from '../../apps/worker/src/docker'
import { type Chance, withChance } from '../support/chance'
import { eventually } from '../support/eventually'
import { FakeDaemon } from '../support/fake-daemon'
import { endlessReplies, large, type OddReply, oddReply } from '../support/odd-replies'

const id = 'a'.repeat(64)
let daemon: FakeDaemon
let docker: Docker

beforeAll(async () => {
  daemon = await FakeDaemon.start()
  docker = openDocker(daemon.dockerHost, () => true)
})

afterAll(() => daemon.stop())

/** Far less than any action has: who has to wait for this has missed the end of an answer. */
const soon = 5_000

const parameters: Record<string, object> = {
  'create-container': { image: 'busybox', start: true },
  'create-raw-container': { body: { Image: 'busybox' } },
  'delete-image': { image: 'busybox' },
  'pull-image': { image: 'busybox' },
  'rename-container': { id, name: 'other' },
  'update-container': { id, cpus: 1 },
}

const daemonActions = [...actions.values()].filter(({ name }) => !['register', 'unregister'].includes(name))

/** Runs an action as a worker does, and shapes its answer as the API does: both must live with what the daemon says. */
async function run(chance: Chance): Promise<'done' | 'failed'> {
  const action = chance.one(daemonActions)
  const job = { id: 'job', slot: 1, numbered: false, epoch: 1, owner: 'somebody' }
  const docks = { register: async () => {}, unregister: async () => {} }
  const never = new AbortController().signal
  const pullOnce = (_: string, signal: AbortSignal, pull: (signal: AbortSignal) => Promise<void>) => pull(signal)
  try {
    const { body } = await withDeadline(soon, never, (signal) =>
      action.run(parameters[action.name] ?? { id }, { docker, signal, job, docks, pullOnce } as never),
    )
    action.present?.(body, 'dock1')
    JSON.stringify(body)
    return 'done'
  } catch (error) {
    // Not by instanceof: Node's own errors are of another realm than a test's.
    const { message, name } = error as Partial<Error>
    if (message && name !== 'DeadlineError') return 'failed'
    throw new Error(`${action.name} did not end well`, { cause: error })
  }
}

test('2,000 odd answers each end their action soon, with a cause where it failed', async () => {
  let failed = 0
  await withChance(async (chance) => {
    for (let n = 0; n < 2_000; n++) {
      const reply: OddReply = oddReply(chance)
      daemon.oddly = () => reply.odd
      const outcome = await run(chance).catch((error: Error) => {
        throw new Error(`after ${reply.what}: ${error.message}`, { cause: error })
      })
      if (outcome === 'failed') failed++
    }
  })
  // An odd answer may suit: an empty one, or an unknown field.
  expect(failed).toBeGreaterThan(1_500)
  await expectNoConnections()
}, 60_000)

test.each([...endlessReplies, { what: '200 MB of containers', odd: large(200 * 2 ** 20) }])(
  '$what is given up, and its connection closed',
  async ({ odd }) => {
    daemon.oddly = () => odd
    for (const answer of [docker.getContainer(id).inspect(), docker.getContainer(id).start()]) {
      await expect(answer).rejects.toMatchObject({ message: expect.stringMatching(/./) })
    }
    await expectNoConnections()
  },
  20_000,
)

const expectNoConnections = () =>
  eventually(
    () => daemon.connections,
    (open) => open === 0,
    { what: 'every connection is closed' },
  )
