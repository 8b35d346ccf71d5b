import type Docker from 'dockerode'
import { withPolicy } from '../support/dock-policy'
import { startFleet, type Fleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { startRegistry, type Registry } from '../support/registry'
import { create, inspect, type Made } from './containers'
import { expectDone, expectRefused } from './replies'

const forever = ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 1; done"]

let fleet: Fleet
let docker: Docker
let registry: Registry

beforeAll(async () => {
  // A bind mount is for those alone whom the dock's own policy lets.
  fleet = await startFleet({ env: withPolicy({ maxProfile: 'privileged' }) })
  docker = fleet.dock('dock1').engine.docker
  registry = await startRegistry(fleet.dock('dock1').engine)
  await registry.push('busybox', 'library/pulled', 'latest')
}, 60_000)

afterAll(async () => {
  await registry.remove()
  await fleet.stop()
  await Promise.all(['pulled', 'only-here'].map((image) => docker.getImage(image).remove({ force: true })))
}, 60_000)

describe('create-container', () => {
  test('takes all that docker run takes', async () => {
    const made = await create(fleet, {
      name: 'everything',
      hostname: 'dock1',
      cmd: forever,
      env: { A: '1', B: 'two words' },
      labels: { team: 'blue' },
      ports: ['8080:80', '127.0.0.1:5353:53/udp', '9000'],
      mounts: [
        { type: 'bind', source: '/tmp', target: '/host', readOnly: true },
        { type: 'volume', source: 'everything', target: '/data' },
        { type: 'tmpfs', target: '/scratch' },
      ],
      memory: '64m',
      cpus: 0.5,
      restart: 'on-failure:3',
      network: 'bridge',
      user: '1000:1000',
      workingDir: '/data',
      init: true,
      start: true,
    })

    const { Name, Config, HostConfig, State, Mounts } = await inspect(fleet, made)
    expect({ Name, Running: State.Running }).toEqual({ Name: '/everything', Running: true })
    expect(Config).toMatchObject({ Image: 'busybox', Cmd: forever, User: '1000:1000', WorkingDir: '/data' })
    expect(Config.Env).toEqual(expect.arrayContaining(['A=1', 'B=two words']))
    expect(Config.Labels).toMatchObject({ team: 'blue', 'deblox.slot': '1', 'deblox.owner': 'anonymous' })
    expect(HostConfig).toMatchObject({
      Memory: 64 * 2 ** 20,
      NanoCpus: 5e8,
      NetworkMode: 'bridge',
      Init: true,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      PortBindings: {
        '80/tcp': [{ HostIp: '', HostPort: '8080' }],
        '53/udp': [{ HostIp: '127.0.0.1', HostPort: '5353' }],
        '9000/tcp': [{ HostIp: '', HostPort: '' }],
      },
    })
    const mounts = Mounts.map(({ Type, Destination, RW }) => `${Type} ${Destination} ${RW ? 'rw' : 'ro'}`)
    expect(mounts.sort()).toEqual(['bind /host ro', 'tmpfs /scratch rw', 'volume /data rw'])
    await remove(made, '?force=true')
    await docker.getVolume('everything').remove()
  })

  test('takes a template’s fields, and the request’s own before them', async () => {
    const template = { image: 'busybox', cmd: ['sleep', '1'], env: { A: '1' }, memory: '32m' }
    expect((await request('PUT', '/v1/templates/small', template)).status).toBe(201)
    const made = await create(fleet, { image: undefined, template: 'small', memory: '48m', cmd: 'sleep 2' })

    const { Config, HostConfig } = await inspect(fleet, made)
    expect({ cmd: Config.Cmd, memory: HostConfig.Memory }).toEqual({ cmd: ['sleep', '2'], memory: 48 * 2 ** 20 })
    expect(Config.Env).toContain('A=1')
    expect((await request('DELETE', '/v1/templates/small')).status).toBe(204)
    await expectRefused(request('POST', '/v1/containers', { template: 'small' }), 404, 'template_not_found')
  })

  test('pulls an image that is missing, and one that is there only if told to', async () => {
    const missing = await create(fleet, { hostname: 'dock1', image: 'pulled' })
    expect((await inspect(fleet, missing)).Config.Image).toBe('pulled')
    await remove(missing)

    // The registry has no such image, though the dock has: only "always" asks for it.
    await docker.getImage('busybox').tag({ repo: 'only-here' })
    await create(fleet, { hostname: 'dock1', image: 'only-here', pull: 'missing' })
    await create(fleet, { hostname: 'dock1', image: 'only-here', pull: 'never' })
    const always = { hostname: 'dock1', image: 'only-here', pull: 'always' }
    await expectRefused(request('POST', '/v1/containers', always), 500, 'docker_error', /registry/)
    const never = { hostname: 'dock1', image: 'team/tool:1.0', pull: 'never' }
    const refusal = await expectRefused(request('POST', '/v1/containers', never), 404, 'docker_error')
    expect(refusal.detail).toBe('No such image: team/tool:1.0')
  })

  test('fails with Docker’s own words where an image cannot be had, and leaves nothing', async () => {
    const before = await fleet.census()
    const body = { hostname: 'dock1', image: 'nowhere/to-be:found' }
    await expectRefused(request('POST', '/v1/containers', body), 500, 'docker_error', /registry/)
    expect(await fleet.census()).toEqual(before)
  })

  test('is refused with 409 where the name is taken on the dock, and not on another', async () => {
    const made = await create(fleet, { hostname: 'dock1', name: 'taken' })
    const again = { image: 'busybox', hostname: 'dock1', name: 'taken' }
    await expectRefused(request('POST', '/v1/containers', again), 409, 'docker_error', /"\/taken" is already in use/)
    const other = await create(fleet, { hostname: 'dock2', name: 'taken' })

    await Promise.all([remove(made), remove(other)])
  })
})

test('create-raw-container takes Docker’s own document, a name, and start', async () => {
  const body = { Image: 'busybox', Cmd: forever, Hostname: 'inside', HostConfig: { ReadonlyRootfs: true } }
  const reply = await request('POST', '/v1/containers/raw', { body, name: 'raw', start: true })

  expect(reply.status).toBe(201)
  const { Name, Config, HostConfig, State } = await inspect(fleet, reply.body.containers[0] as Made)
  expect({ Name, Running: State.Running, Hostname: Config.Hostname }).toEqual({
    Name: '/raw',
    Running: true,
    Hostname: 'inside',
  })
  expect(HostConfig.ReadonlyRootfs).toBe(true)
})

const remove = ({ id }: Made, query = ''): Promise<void> =>
  expectDone(request('DELETE', `/v1/containers/${id}${query}`))

function request(method: string, path: string, body?: object): Promise<Reply> {
  return fleet.request(fleet.api, method, path, body)
}
