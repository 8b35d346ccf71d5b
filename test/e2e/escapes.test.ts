import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withPolicy } from '../support/dock-policy'
import { listenTo } from '../support/engine-events'
import { type Escape, escapes } from '../support/escapes'
import { type Fleet, type FleetOptions, startFleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { runFolder } from '../support/run-folder'
import { inspect, type Made } from './containers'

const secret = randomBytes(16).toString('hex')

let fleet: Fleet
let canary: string
let heard: Awaited<ReturnType<typeof listenTo>>

/** With which headers requests are sent. */
let caller: Record<string, string> = {}

/** Who has to refuse: each time all others would let everything in. */
interface Refuser {
  options: FleetOptions
  logIn: () => Promise<Record<string, string>>
  /** Whether what it refuses had been accepted as a job. */
  refusesJobs: boolean
}

const refusers: Record<string, Refuser> = {
  "the dock's policy": {
    options: { env: withPolicy({ maxProfile: 'restricted' }) },
    logIn: () => Promise.resolve({}),
    refusesJobs: true,
  },
  "the API, by the caller's rules": {
    options: {
      auth: true,
      env: withPolicy({ maxProfile: 'privileged' }),
    },
    logIn: async () => {
      const wanted = { subject: 'mallory', role: 'deployer' }
      const { status, body } = await fleet.request(fleet.api, 'POST', '/v1/tokens', wanted)
      expect(status).toBe(201)
      return { authorization: `Bearer ${(body as { token: string }).token}` }
    },
    refusesJobs: false,
  },
}

/** A command that reads and writes the canary where it can, wherever it was put. */
const grasp = (folder: string): string[] => [
  'sh',
  '-c',
  `for at in /host /x /data ${folder} /host${folder}; do cat $at/secret; echo grasped > $at/grasped; done`,
]

/** `n`: which of its kind it is, for names of its own. */
type Way = (escape: Escape, n: number) => Promise<Reply[]>

const post = (path: string, body: object): Promise<Reply> => fleet.request(fleet.api, 'POST', path, body, caller)

/** Every way in that makes a container; what a spec cannot say goes by the raw ones alone. */
const ways: Record<string, Way> = {
  'a raw document': async ({ body }) => [
    await post('/', { action: 'create-raw-container', body: { Cmd: grasp(canary), ...body }, start: true }),
  ],
  'a raw document for one dock': async ({ body }) => [
    await post('/', { action: 'create-raw-container', hostname: 'dock1', body, start: true }),
  ],
  'POST /v1/containers/raw': async ({ body }) => [
    await post('/v1/containers/raw', { body: { Cmd: grasp(canary), ...body }, start: true }),
  ],
  'POST /v1/containers/raw with instances': async ({ body }) => [
    await post('/v1/containers/raw', { body, instances: 2, start: true }),
  ],
  'a document': async ({ spec }) =>
    spec ? [await post('/', { action: 'create-container', image: 'busybox', start: true, ...spec })] : [],
  'a document by its old name': async ({ spec }) =>
    spec ? [await post('/', { action: 'create-unibet-container', image: 'busybox', instances: 2, ...spec })] : [],
  'POST /v1/containers': async ({ spec }) =>
    spec ? [await post('/v1/containers', { image: 'busybox', cmd: grasp(canary), start: true, ...spec })] : [],
  "somebody else's template": async ({ spec }, n) => {
    if (!spec) return []
    const template = { image: 'busybox', ...spec }
    const stored = await fleet.request(fleet.api, 'PUT', `/v1/templates/escape-${n}`, template)
    if (stored.status >= 400) return [stored]
    return [
      await post('/v1/containers', { template: `escape-${n}`, start: true }),
      await post('/', { action: 'create-container', template: `escape-${n}`, start: true }),
    ]
  },
}

/** So many are tried side by side. */
const atOnce = 10

/** Each kind by each way that can say it. */
const tried = Object.entries(ways).flatMap(([name, way]) => {
  const said = escapes().filter(({ spec }) => spec !== undefined || /raw/.test(name))
  return [...new Set(said.map(({ kind }) => kind))].map((kind) => [kind, name, way] as const)
})

describe.each(Object.entries(refusers))('where %s must refuse', (_, { options, logIn, refusesJobs }) => {
  beforeAll(async () => {
    canary = join(await mkdtemp(join(runFolder(), 'host-')), 'canary')
    await mkdir(canary)
    await writeFile(join(canary, 'secret'), secret)
    fleet = await startFleet({ docks: 1, ...options })
    caller = await logIn()
    heard = await listenTo(fleet.dock('dock1').engine)
  }, 60_000)

  afterAll(async () => {
    heard.stop()
    await fleet.stop()
    await rm(join(canary, '..'), { recursive: true })
  }, 60_000)

  test.each(tried)(
    'no escape of the kind %s is let in by %s',
    async (kind, _way, way) => {
      const all = escapes(canary).filter((each) => each.kind === kind)
      for (let n = 0; n < all.length; n += atOnce) {
        await Promise.all(
          all.slice(n, n + atOnce).map(async (escape, m) => {
            for (const reply of await way(escape, n + m)) {
              expect({ ...outcome(reply), what: escape.what }).toEqual(refusedAs(escape))
            }
          }),
        )
      }
    },
    120_000,
  )

  test('the engine has heard of none of them, and the canary is as it was', async () => {
    const { body } = await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1000')
    const creates = (body.items as { action: string }[]).filter(({ action }) => action.startsWith('create-'))
    expect(creates.length > 0).toBe(refusesJobs)
    const { id, dock } = await make({ name: 'harmless', cmd: ['sleep', '60'] })
    await heard.until('harmless')
    const made = heard.events.filter(({ Action }) => /create|exec|connect|mount|start|pull|import/.test(Action))
    expect(new Set(made.flatMap(({ Type, Actor }) => (Type === 'container' ? Actor.ID : [])))).toEqual(new Set([id]))
    expect(made.filter(({ Type }) => Type !== 'container' && Type !== 'network')).toEqual([])
    expect(await readdir(canary)).toEqual(['secret'])
    expect(await readFile(join(canary, 'secret'), 'utf8')).toBe(secret)
    expect((await inspect(fleet, { id, dock })).HostConfig).toMatchObject({
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 512,
    })
  })

  test('what restricted leaves is enough for an image that begins as root and becomes somebody else', async () => {
    const steps = [
      'mkdir /srv && touch /srv/file && chown -R 1000:1000 /srv && chmod 700 /srv',
      // In a folder that is no longer root's.
      'touch /srv/other',
      'httpd -p 80 -h /srv',
      "echo 'web:x:1000:1000::/:/bin/sh' > /etc/passwd",
      "su web -c 'echo now I am $(id -u)'",
      'grep -E "NoNewPrivs|CapBnd|Seccomp:" /proc/self/status',
      'cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max',
    ]
    const made = await make({ name: 'rooted', cmd: ['sh', '-ec', steps.join('\n')] })
    const container = fleet.dock('dock1').engine.docker.getContainer(made.id)
    const { StatusCode } = (await container.wait()) as { StatusCode: number }
    const logs = (await container.logs({ stdout: true, stderr: true })).toString()
    expect({ StatusCode, logs }).toEqual({ StatusCode: 0, logs: expect.stringMatching(/NoNewPrivs:\s+1\n/) as string })
    expect(logs).toMatch(/now I am 1000\n/)
    expect(logs).toMatch(/Seccomp:\s+2\n/)
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID and NET_BIND_SERVICE, by the kernel's numbers.
    expect(logs).toMatch(/CapBnd:\s+00000000000004fb\n/)
    expect(logs).toMatch(/\b512\b/)
  })

  test('past Deblox the same container would have reached the canary', async () => {
    const { docker } = fleet.dock('dock1').engine
    const HostConfig = { Binds: [`${canary}:/host`] }
    const container = await docker.createContainer({ Image: 'busybox', Cmd: grasp(canary), HostConfig })
    await container.start()
    await container.wait()
    expect((await container.logs({ stdout: true })).toString()).toContain(secret)
    expect((await readdir(canary)).sort()).toEqual(['grasped', 'secret'])
  })
})

/** What a reply says of a request, whether it is an envelope, several, or a problem. */
function outcome({ status, body }: Reply): { refused: boolean; said: string } {
  const said = JSON.stringify(body)
  const parts = (body as { containers?: { statusCode?: number }[] }).containers ?? []
  const codes = [status, ...parts.map(({ statusCode = status }) => statusCode)].filter((code) => code !== 200)
  return { refused: codes.length > 0 && codes.every((code) => code === 400 || code === 403), said }
}

const refusedAs = ({ what }: Escape) => ({ what, refused: true, said: expect.stringMatching(/expected /) as string })

/** Makes what nobody refuses, as the caller whom all the rest is refused. */
async function make(fields: object): Promise<Made> {
  const { status, body } = await post('/v1/containers', { image: 'busybox', start: true, ...fields })
  expect({ status, body }).toMatchObject({ status: 201 })
  return (body as { containers: [Made] }).containers[0]
}
