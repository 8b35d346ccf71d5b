import { startFleet, type Fleet } from '../support/fleet'
import { curl } from '../support/http'
import { countByDock, create, inspect } from './containers'

/** The reply of 2014. */
interface Envelope {
  Date: string
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever Docker says
  Response: any
  dockerInstance: string
  statusCode: number
  'Content-Length'?: string
}

const withBody = ['Content-Length', 'Content-Type', 'Date', 'Response', 'dockerInstance', 'statusCode']
const withoutBody = ['Date', 'Response', 'dockerInstance', 'statusCode']
const dockNames = ['dock1', 'dock2', 'dock3']

let fleet: Fleet

beforeAll(async () => {
  fleet = await startFleet()
  await Promise.all(fleet.docks.map(({ engine }) => engine.loadBusybox('ubuntu')))
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await Promise.all(fleet.docks.map(({ engine }) => engine.docker.getImage('ubuntu').remove()))
}, 60_000)

describe('the curl commands of the original', () => {
  test('create 20 instances from the template under the old name of the action', async () => {
    const { containers } = await run(
      `curl -X   POST --data '{"action": "create-unibet-container", "template": "test", "instances": 20}' app0126.proxmox.swe1.unibet.com:8080`,
    )
    expect(containers).toHaveLength(20)
    containers.forEach(expectCreated)
    expect(new Set(containers.map(({ Response }: Envelope) => Response.Body.Id)).size).toBe(20)
    const counts = Object.values(await countByDock(fleet))
    expect(counts.sort((one, other) => one - other)).toEqual([6, 7, 7])
  })

  test('create 2 instances from the template', async () => {
    const answer = await run(
      `curl -X   POST --data '{"action": "create-container", "template": "test", "instances": 2}' app0126.proxmox.swe1.unibet.com:8080`,
    )
    expect(Object.keys(answer)).toEqual(['containers'])
    expect(answer.containers).toHaveLength(2)
    answer.containers.forEach(expectCreated)
  })

  test('create one container from an image, answered by a bare envelope', async () => {
    const envelope = await run(
      `curl -X   POST --data '{"action": "create-container", "image": "ubuntu"}' app0126.proxmox.swe1.unibet.com:8080`,
    )
    expectCreated(envelope)
    expect((await inspected(envelope)).Config.Image).toBe('ubuntu')
  })

  test('inspect a container', async () => {
    const { id, dock, name } = await create(fleet)
    const envelope = await run(
      `curl -X  POST --data '{"action": "inspect-container", "id": "b276fbefc5c5d852a3c34a2999d8b26cb473e1a96ff611fe67f65f9cf635c70f"}' app0126.proxmox.swe1.unibet.com:8080`,
      id,
    )
    expectBody(envelope, 200)
    expect(envelope.dockerInstance).toBe(dock)
    expect(envelope.Response.Body).toMatchObject({ Id: id, Name: `/${name}`, State: { Running: false } })
    const fields =
      'Args Config Created Driver HostConfig HostnamePath HostsPath Id Image MountLabel Name NetworkSettings Path ProcessLabel ResolvConfPath State'
    expect(Object.keys(envelope.Response.Body)).toEqual(expect.arrayContaining(fields.split(' ')))
  })

  test('stop a container', async () => {
    const container = await create(fleet, { start: true })
    const envelope = await run(
      ` curl -X  POST --data '{"action": "stop-container", "id": "b276fbefc5c5d852a3c34a2999d8b26cb473e1a96ff611fe67f65f9cf635c70f"}' app0126.proxmox.swe1.unibet.com:8080`,
      container.id,
    )
    expectNoBody(envelope, container.dock)
    expect((await inspect(fleet, container)).State.Running).toBe(false)
  })

  test('delete a container', async () => {
    const { id, dock } = await create(fleet)
    const envelope = await run(
      `curl -X   POST --data '{"action": "delete-container", "id": "0d0ff6977ed1767a01526d76e414349ef87840abfe81400c6e4d9ec8116111d4"}' localhost:8080`,
      id,
    )
    expectNoBody(envelope, dock)
    expect((await fleet.census()).map((row) => row.id)).not.toContain(id)
  })
})

describe('the documents of the original', () => {
  test('register and unregister answer 204 with nothing, and change the set of known docks', async () => {
    const registered = await fleet.post('{\n  "action": "register",\n  "hostname": "sthmaclt009.local"\n}')
    expect(registered).toMatchObject({ status: 204, body: '' })
    expect(await knownDocks()).toEqual([...dockNames, 'sthmaclt009.local'])

    const unregistered = await fleet.post('{\n  "action": "unregister",\n  "hostname": "sthmaclt009.local"\n}')
    expect(unregistered).toMatchObject({ status: 204, body: '' })
    expect(await knownDocks()).toEqual(dockNames)
  })

  test('create from a stored template, a number of times', async () => {
    await fleet.request(fleet.api, 'PUT', '/v1/templates/sometemplatename', { image: 'ubuntu', env: { A: '1' } })
    const document = { action: 'create-unibet-container', template: 'sometemplatename', instances: 2 }
    const { status, body } = await fleet.post(document)
    expect(status).toBe(200)
    body.containers.forEach(expectCreated)
    const made = await Promise.all((body.containers as Envelope[]).map(inspected))
    expect(made.map(({ Config }) => Config.Env)).toEqual([
      expect.arrayContaining(['A=1']),
      expect.arrayContaining(['A=1']),
    ])
  })

  test('start, then restart a container', async () => {
    const container = await create(fleet)
    expectNoBody(await document({ action: 'start-container', id: container.id }), container.dock)
    const { State } = await inspect(fleet, container)
    expect(State.Running).toBe(true)

    expectNoBody(await document({ action: 'restart-container', id: container.id }), container.dock)
    expect((await inspect(fleet, container)).State.StartedAt > State.StartedAt).toBe(true)
  })

  test('create a container from the Docker API’s own document', async () => {
    const body = { Image: 'ubuntu', Cmd: ['/bin/ping', '8.8.8.8'], Hostname: 'TESTNODE', Tty: true }
    const envelope = await document({ action: 'create-raw-container', body })
    expectCreated(envelope)
    expect((await inspected(envelope)).Config).toMatchObject(body)
  })

  test('list the images of one dock', async () => {
    const envelope = await document({ action: 'list-images' })
    expectBody(envelope, 200)
    const fields = 'Created Id ParentId RepoTags Size VirtualSize'.split(' ')
    for (const image of envelope.Response.Body) expect(Object.keys(image)).toEqual(expect.arrayContaining(fields))
    expect(envelope.Response.Body.flatMap((image: { RepoTags: string[] }) => image.RepoTags)).toContain('ubuntu:latest')
  })

  test('list the containers of one dock and not of the entire cluster', async () => {
    const envelope = await document({ action: 'list-containers' })
    expectBody(envelope, 200)
    const fields = 'Command Created Id Image Names Ports Status'.split(' ')
    for (const container of envelope.Response.Body) {
      expect(Object.keys(container)).toEqual(expect.arrayContaining(fields))
    }
    const ids = (envelope.Response.Body as { Id: string }[]).map(({ Id }) => Id)
    const census = await fleet.dock(envelope.dockerInstance).census()
    expect(ids.sort()).toEqual(census.map(({ id }) => id).sort())
  })

  test.each(dockNames)('a hostname in a document names the dock: %s', async (hostname) => {
    const documents = [
      { action: 'create-container', image: 'ubuntu', hostname },
      { action: 'create-raw-container', body: { Image: 'ubuntu' }, hostname },
      { action: 'list-containers', hostname },
      { action: 'list-images', hostname },
    ]
    const envelopes = await Promise.all(documents.map(document))
    expect(envelopes.map(({ dockerInstance }) => dockerInstance)).toEqual(documents.map(() => hostname))
  })

  test('what Docker refuses is answered in the same envelope, with Docker’s status and words', async () => {
    const body = { Image: 'busybox', HostConfig: { Memory: 1 } }
    const refused = fleet.dock('dock1').engine.docker.createContainer(body)
    const { statusCode, json } = (await refused.catch((error: unknown) => error)) as {
      statusCode: number
      json: object
    }

    const answer = await fleet.post({ action: 'create-raw-container', hostname: 'dock1', body })

    expect(answer.status).toBe(400)
    expectBody(answer.body as Envelope, statusCode)
    expect(answer.body.Response.Body).toEqual(json)
  })
})

/** Runs a command as the original prints it: but for the address and, where there is one, the container's id. */
async function run(command: string, id?: string) {
  const words = command.match(/'[^']*'|\S+/g) ?? []
  const args = words.slice(1, -1).map((word) => word.replace(/^'(.*)'$/, '$1'))
  const own = id === undefined ? args : args.map((word) => word.replace(/\b[0-9a-f]{64}\b/, id))
  const { exitCode, stdout, stderr } = await curl([...own, `127.0.0.1:${fleet.api.port}`])
  expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
  return JSON.parse(stdout)
}

async function document(fields: object): Promise<Envelope> {
  const { status, body } = await fleet.post(fields)
  expect({ status, body }).toMatchObject({ status: 200 })
  return body as Envelope
}

async function knownDocks(): Promise<string[]> {
  return (await fleet.redis.smembers(`${fleet.prefix}:docks`)).sort()
}

function inspected({ Response, dockerInstance }: Envelope) {
  return inspect(fleet, { id: Response.Body.Id, dock: dockerInstance })
}

function expectCreated(envelope: Envelope): void {
  expectBody(envelope, 201)
  expect(Object.keys(envelope.Response.Body)).toEqual(['Id', 'Warnings'])
  expect(envelope.Response.Body.Id).toMatch(/^[0-9a-f]{64}$/)
}

function expectBody(envelope: Envelope, statusCode: number): void {
  expect(Object.keys(envelope)).toEqual(withBody)
  expect(envelope).toMatchObject({ 'Content-Type': 'application/json', statusCode })
  expect(Object.keys(envelope.Response)).toEqual(['Body'])
  // Docker ends its JSON with a line feed.
  expect(envelope['Content-Length']).toBe(String(Buffer.byteLength(`${JSON.stringify(envelope.Response.Body)}\n`)))
  expectStamped(envelope)
}

function expectNoBody(envelope: Envelope, dockerInstance: string): void {
  expect(Object.keys(envelope)).toEqual(withoutBody)
  expect(envelope).toMatchObject({ Response: '', dockerInstance, statusCode: 204 })
  expectStamped(envelope)
}

function expectStamped({ Date: date, dockerInstance }: Envelope): void {
  expect(dockNames).toContain(dockerInstance)
  expect(date).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
  expect(Math.abs(Date.now() - Date.parse(date))).toBeLessThan(60_000)
}
