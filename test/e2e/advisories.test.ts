import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { actions } from '../../libs/actions/src/registry'
import { withPolicy } from '../support/dock-policy'
import { type Fleet, startFleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { runFolder } from '../support/run-folder'
import { sharedEngines } from '../support/shared'
import { create, type Made } from './containers'
import { expectNothingHeard, type Heard, listen } from './heard'

/** The holes of others, one test for each that a create could go through: what each did is in its description. */

let fleet: Fleet
let heard: Heard
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(runFolder(), 'host-'))
  fleet = await startFleet({ docks: 1, env: withPolicy({ maxProfile: 'restricted' }) })
  heard = await listen(fleet)
}, 60_000)

afterAll(async () => {
  heard.stop()
  await fleet.stop()
  await rm(folder, { recursive: true })
}, 60_000)

const engine = () => fleet.dock('dock1').engine

const request = (method: string, path: string, body?: unknown): Promise<Reply> =>
  fleet.request(fleet.api, method, path, body)

const hostRoot = { Image: 'busybox', HostConfig: { Binds: ['/:/host'] } }
const driverBind = { Name: 'local', Options: { type: 'none', o: 'bind', device: '/' } }
const volumeBind = {
  Image: 'busybox',
  HostConfig: { Mounts: [{ Type: 'volume', Target: '/host', VolumeOptions: { DriverConfig: driverBind } }] },
}

describe('CVE-2026-44848: a path that no rule knew was passed on to Docker, plugins among them', () => {
  const dockers = [
    'POST /plugins/pull?remote=vieux/sshfs',
    'POST /plugins/create?name=x',
    'POST /plugins/x/enable',
    'POST /containers/create',
    'POST /v1.41/containers/create?name=x',
    'POST /v1/docker/containers/create',
    'POST /v1/docks/dock1/docker/containers/create',
    'POST /v1/docks/dock1/containers',
    'POST /api/endpoints/1/docker/containers/create',
    'POST /build',
    'POST /build/prune',
    'POST /images/create?fromImage=x',
    'POST /images/load',
    'POST /volumes/create',
    'POST /networks/create',
    'POST /swarm/init',
    'POST /services/create',
    'POST /secrets/create',
    'POST /configs/create',
    'POST /session',
    'POST /grpc',
    'POST /commit',
    'PUT /containers/x/archive?path=/',
    'POST /containers/x/exec',
    'GET /events',
    'GET /info',
    'GET /_ping',
    'GET /system/df',
    'POST /v1//containers/raw',
    'POST /v1/containers/raw/',
    'POST /v1/containers/%2e%2e/%2e%2e/plugins/pull',
    'POST /v1/containers/raw%2f..%2f..%2fplugins',
    'POST /V1/CONTAINERS/RAW',
  ]

  test.each(dockers)('%s makes nothing here', async (line) => {
    const [method = '', path = ''] = line.split(' ')
    const { status } = await request(method, path, method === 'GET' ? undefined : hostRoot)
    expect([400, 403, 404, 405]).toContain(status)
  })

  test.each(['DELETE', 'PUT', 'PATCH', 'COPY', 'LOCK', 'PROPFIND'])('nor does %s where POST would', async (method) => {
    const { status } = await request(method, '/v1/containers/raw', { body: hostRoot })
    expect([404, 405]).toContain(status)
  })

  test('and nothing of it has come to the engine', () => expectNothingHeard(heard))
})

describe('CVE-2026-44849: a rule of one create route did not hold on the others, nor for binds by a volume’s driver', () => {
  const creating = [...actions.values()].filter(({ creates }) => creates)

  test('every action that makes containers can be asked before it is accepted', () => {
    expect(creating.map(({ name }) => name)).toEqual(['create-container', 'create-raw-container'])
    for (const { admit } of creating) expect(admit).toBeInstanceOf(Function)
  })

  test.each([
    ['a bind', hostRoot, 'HostConfig.Binds[0]'],
    ['a bind by a volume’s driver', volumeBind, 'HostConfig.Mounts[0].VolumeOptions.DriverConfig.Options'],
  ])('%s is refused by name on every route that takes it', async (_, body, field) => {
    const rest = await request('POST', '/v1/containers/raw', { body })
    expect({ status: rest.status, detail: rest.body.detail }).toEqual({
      status: 403,
      detail: expect.stringContaining(`${field}: expected `) as string,
    })
    const envelope = await fleet.post({ action: 'create-raw-container', body })
    expect({ status: envelope.status, said: JSON.stringify(envelope.body) }).toEqual({
      status: 403,
      said: expect.stringContaining(field) as string,
    })
  })

  test('and nothing of it has come to the engine', () => expectNothingHeard(heard))

  test('a volume that was made beforehand as a bind is seen on the dock, whatever names it', async () => {
    const { docker } = engine()
    const options = { ...driverBind.Options, device: folder }
    await docker.createVolume({ Name: 'trapdoor', Driver: 'local', DriverOpts: options })
    try {
      const bodies = [
        { Image: 'busybox', HostConfig: { Binds: ['trapdoor:/host'] } },
        { Image: 'busybox', HostConfig: { Mounts: [{ Type: 'volume', Source: 'trapdoor', Target: '/host' }] } },
      ]
      for (const body of bodies) {
        const { status, body: problem } = await request('POST', '/v1/containers/raw', { body })
        expect({ status, detail: problem.detail }).toEqual({
          status: 403,
          detail: expect.stringMatching(/expected a plain local volume .*, got "trapdoor"$/) as string,
        })
      }
      const spec = { image: 'busybox', mounts: [{ source: 'trapdoor', target: '/host' }] }
      expect((await request('POST', '/v1/containers', spec)).status).toBe(403)
    } finally {
      await docker.getVolume('trapdoor').remove()
    }
  })

  test('the host’s network is known by its id too', async () => {
    const networks = await engine().docker.listNetworks({ filters: { name: ['host'] } })
    const id = networks.find(({ Driver }) => Driver === 'host')?.Id ?? ''
    for (const network of [id, id.slice(0, 12)]) {
      const { status, body } = await request('POST', '/v1/containers', { image: 'busybox', network })
      expect({ status, detail: body.detail }).toEqual({
        status: 403,
        detail: expect.stringMatching(/NetworkMode: expected a network that is not the host's own/) as string,
      })
    }
  })

  test('a plain volume, and a network of its own, are let in', async () => {
    const { docker } = engine()
    const network = await docker.createNetwork({ Name: 'harmless-network' })
    const fields = { mounts: [{ source: 'harmless0', target: '/data' }] }
    const made = await create(fleet, { ...fields, network: 'harmless-network' })
    expect((await docker.getVolume('harmless0').inspect()).Options).toBeNull()
    await docker.getContainer(made.id).remove({ force: true })
    await Promise.all([docker.getVolume('harmless0').remove(), network.remove()])
  })
})

describe('CVE-2026-23520: an agent gave the text of a container’s label to a shell', () => {
  test('labels are text and nothing else, through a container’s whole life', async () => {
    const [, second] = sharedEngines()
    const open = await startFleet({
      docks: 1,
      engines: second ? [second] : [],
      env: withPolicy({ maxProfile: 'privileged' }),
    })
    try {
      const command = `touch ${folder}/$(id -u) ; touch ${folder}/x`
      const names = [
        'com.getarcaneapp.arcane.lifecycle.pre-update',
        'com.getarcaneapp.arcane.lifecycle.post-update',
        'com.centurylinklabs.watchtower.lifecycle.pre-update',
        'ofelia.job-local.x.command',
        'docker-volume-backup.exec-pre',
        'x',
      ]
      const labels = Object.fromEntries(
        names.flatMap((name) => [
          [name, command],
          [`${name};${command}`, '`id`'],
        ]),
      )
      const made = await create(open, { labels, start: true, cmd: ['sleep', '600'], init: true })
      const act = (path: string, body: object = {}) =>
        open.request(open.api, 'POST', `/v1/containers/${made.id}/${path}`, body)
      for (const path of ['pause', 'unpause', 'restart', 'stop', 'start', 'kill']) {
        expect({ path, status: (await act(path)).status }).toEqual({ path, status: 200 })
      }
      expect((await act('update', { restart: 'always' })).status).toBe(200)
      expect((await act('rename', { name: 'labelled' })).status).toBe(200)
      expect((await labelsOf(open, made))['x']).toBe(command)
      expect((await open.request(open.api, 'DELETE', `/v1/containers/${made.id}?force=true`)).status).toBe(200)
      expect(await readdir(folder)).toEqual([])
    } finally {
      await open.stop()
    }
  }, 90_000)

  test('and those that other agents obey are no restricted caller’s to write', async () => {
    const labels = { 'com.getarcaneapp.arcane.lifecycle.pre-update': 'id' }
    const { status, body } = await request('POST', '/v1/containers', { image: 'busybox', labels })
    expect({ status, detail: body.detail }).toEqual({
      status: 403,
      detail: expect.stringMatching(/^Labels\.com\.getarcaneapp\..*: expected no label that other agents/) as string,
    })
  })
})

async function labelsOf(of: Fleet, { id, dock }: Made): Promise<Record<string, string>> {
  return (await of.dock(dock).engine.docker.getContainer(id).inspect()).Config.Labels
}
