import { withChance } from '../support/chance'
import { eventually } from '../support/eventually'
import type { Asked, Odd } from '../support/fake-daemon'
import { FleetOfFakes } from '../support/fleet-of-fakes'
import { actsAndFails, large, oddReply } from '../support/odd-replies'

let fakes: FleetOfFakes
let pid: number

beforeAll(async () => {
  fakes = await FleetOfFakes.start('odd-daemon')
  await fakes.expectGoodJobs(20_000)
  pid = fakes.worker.pid
}, 60_000)

beforeEach(() => {
  fakes.daemon.empty()
})

// Whatever the daemon said: the worker lives, holds no memory for it, and works on.
afterEach(expectUnharmed, 30_000)

afterAll(() => fakes.stop(), 60_000)

/** What a worker asks of its own accord to see whether the daemon can be worked with: while it cannot, jobs wait. */
const isProbe = ({ path, query }: Asked): boolean =>
  ['/_ping', '/info', '/version', '/events'].includes(path) || query.has('limit')

test('300 jobs end, each with a cause where it failed, while every answer is odd', async () => {
  // Several, because jobs of one container wait for one another.
  const ids = Array.from({ length: 20 }, (_, n) => fakes.daemon.add(`web-${n}`).Id)
  await withChance(async (chance) => {
    for (let batch = 0; batch < 3; batch++) {
      fakes.daemon.oddly = (asked) => (isProbe(asked) ? undefined : oddReply(chance).odd)
      const jobs = await Promise.all(
        Array.from({ length: 100 }, () => fakes.accept(...chance.one(requests(chance.one(ids))))),
      )
      for (const job of jobs) {
        expectCause(await fakes.ended(job, 60_000))
      }
    }
  })
  fakes.daemon.oddly = () => undefined
  await expectIndex(Array.from({ length: 20 }, (_, n) => `web-${n}`))
}, 90_000)

test.each(actsAndFails)(
  'a daemon that $what makes one container at most',
  async ({ odd }) => {
    let left = 3
    fakes.daemon.oddly = ({ path }) => (path === '/containers/create' && left-- > 0 ? odd : undefined)
    const name = `once-${fakes.daemon.made.size}`
    await fakes.ended(await fakes.accept('create-container', { image: 'busybox', name, start: true }), 30_000)
    expect(fakes.daemon.made.get(name)).toBe(1)
    await expectIndex([name])
  },
  60_000,
)

test('a list of 200 MB fills no memory, and fails the job that asked for it', async () => {
  fakes.daemon.oddly = ({ path, query }) =>
    path === '/containers/json' && !query.has('limit') ? large(200 * 2 ** 20) : undefined
  const jobs = await Promise.all([1, 2, 3].map(() => fakes.accept('list-containers', {})))
  for (const job of jobs) {
    expect(await fakes.ended(job, 60_000)).toMatchObject({ state: 'failed', error: { message: expect.any(String) } })
  }
}, 90_000)

test('10,000 containers are listed, and indexed, and forgotten', async () => {
  for (let n = 0; n < 10_000; n++) fakes.daemon.add(`many-${n}`)
  await fakes.ended(await fakes.accept('list-containers', {}), 30_000)
  const all = await eventually(rows, (found) => found.length === 10_000, {
    within: 45_000,
    every: 250,
    what: 'all are indexed',
  })
  expect(new Set(all.map(({ id }) => id)).size).toBe(10_000)
  fakes.daemon.empty()
  await eventually(rows, (all) => all.length === 0, {
    within: 45_000,
    every: 250,
    what: 'those that are gone are forgotten',
  })
}, 120_000)

test('events that are none change nothing, and later ones are followed', async () => {
  const garbage: (string | Buffer)[] = [
    'nonsense\n',
    '\n',
    'null\n',
    '[]\n',
    '{"Actor":null}\n',
    '{"Actor":{"ID":5}}\n',
    '{"Actor":{"ID":"x/../../info"}}\n',
    Buffer.from([0xff, 0xfe, 0x0a]),
    `{"Actor":{"ID":"${'a'.repeat(100_000)}"}}\n`,
    '{"Actor":',
    'a'.repeat(3 * 2 ** 20),
  ]
  const asked: string[] = []
  fakes.daemon.oddly = ({ path }) => {
    asked.push(path)
    return undefined
  }
  for (const bytes of garbage) fakes.daemon.tell(bytes)
  fakes.daemon.add('late')
  await eventually(() => fakes.daemon.followers > 0, Boolean, { what: 'the worker follows events again' })
  await expectIndex(['late'])
  expect(asked.filter((path) => path.includes('info/json') || path.includes('x%2F'))).toEqual([])
}, 30_000)

test('rows that are odd do not harm the index', async () => {
  const good = fakes.daemon.add('good')
  const odd = { ...good, Id: 'e'.repeat(64), Names: 'x', Labels: { '\ud800': 5 }, Created: 'soon', State: null }
  const answer =
    (rows: unknown[]): Odd =>
    (socket) => {
      const body = JSON.stringify(rows)
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
    }
  const whole = ({ path }: Asked) => path === '/containers/json'
  fakes.daemon.oddly = (asked) => (whole(asked) ? answer([good, odd]) : undefined)
  fakes.daemon.tellOf(odd.Id)
  await eventually(rows, (all) => all.length === 2, { what: 'both are indexed' })
  // A row without an id: nobody knows what else this list does not tell.
  fakes.daemon.oddly = (asked) => (whole(asked) ? answer([{ ...odd, Id: undefined }]) : undefined)
  fakes.daemon.tellOf(good.Id)
  const failed = await fakes.ended(await fakes.accept('list-containers', {}))
  expect(failed).toMatchObject({ state: 'failed' })
  expect(await rows()).toHaveLength(2)
}, 60_000)

const requests = (id: string): [string, Record<string, unknown>][] => [
  ['start-container', { id }],
  ['stop-container', { id, timeout: 1 }],
  ['restart-container', { id, timeout: 1 }],
  ['inspect-container', { id }],
  ['kill-container', { id }],
  ['pause-container', { id }],
  ['update-container', { id, cpus: 1 }],
  ['rename-container', { id, name: 'web' }],
  ['list-containers', {}],
  ['list-images', {}],
  ['delete-image', { image: 'busybox' }],
  ['pull-image', { image: 'busybox' }],
]

async function expectUnharmed(): Promise<void> {
  fakes.daemon.oddly = () => undefined
  expect(fakes.worker).toMatchObject({ running: true, pid })
  expect((await fakes.memory()).peak).toBeLessThan(400)
  await fakes.expectGoodJobs(10_000)
}

/** A job may have ended well, since an odd answer may suit: one that failed says why. */
function expectCause({ state, error }: Awaited<ReturnType<FleetOfFakes['ended']>>): void {
  const cause = { code: expect.any(String), message: expect.stringMatching(/./) }
  expect({ state, error }).toMatchObject(state === 'failed' ? { error: cause } : { error: null })
}

const rows = () => fakes.fleet.index.rows(fakes.hostname)

async function expectIndex(names: string[]): Promise<void> {
  const look = async () => (await rows()).map(({ name }) => name).sort()
  await eventually(look, (seen) => String(seen) === String([...names].sort()), { within: 40_000, every: 100 })
}
