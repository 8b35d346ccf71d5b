import { startFleet, type Fleet } from '../support/fleet'
import type { CensusRow } from '../support/dock'
import { create } from './containers'
import { expectProblem } from './replies'

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const nested = (levels: number): string => '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1)

let fleet: Fleet
let before: CensusRow[]
let jobsBefore: unknown

beforeAll(async () => {
  fleet = await startFleet()
  await create(fleet, { name: 'bystander', start: true })
  before = await fleet.census()
  jobsBefore = await newestJob()
}, 60_000)

// Whatever was sent: no container is another one than before, and no job was accepted.
afterEach(expectNothingChanged)

afterAll(() => fleet.stop(), 60_000)

describe('a body that is no JSON object is refused, in a document and in a request', () => {
  test.each([
    ['nothing', '', 'nothing'],
    ['a form', 'action=list-images', 'text that is not JSON'],
    ['JSON that is cut short', '{"action": "list-im', 'text that is not JSON'],
    ['a comment, as the original prints it', '{"action": "list-images" // all\n}', 'text that is not JSON'],
    ['a list', '[{"action": "list-images"}]', 'a list'],
    ['a string', '"list-images"', '"list-images"'],
    ['null', 'null', 'null'],
  ])('%s', async (_, body, got) => {
    const documents = await fleet.request(fleet.api, 'POST', '/', body, form)
    if (body !== '') expectProblem(documents, 400, 'malformed_json', 'body', 'a JSON object', got)
    else expectProblem(documents, 400, 'invalid_request', 'action', 'a value', got)
    const rest = await fleet.request(fleet.api, 'POST', '/v1/containers', body)
    if (body !== '') expectProblem(rest, 400, 'malformed_json', 'body', 'a JSON object', got)
    else expectProblem(rest, 400, 'invalid_request', 'template or image', 'at least one of them', got)
  })

  test('bytes that are no text', async () => {
    const body = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
    const reply = await fleet.request(fleet.api, 'POST', '/', body)
    expectProblem(reply, 400, 'malformed_json', 'body', 'a JSON object', 'bytes that are not UTF-8')
  })

  test('more than 1 MB', async () => {
    const body = JSON.stringify({ action: 'create-container', image: 'busybox', cmd: ['a'.repeat(2 ** 20)] })
    for (const path of ['/', '/v1/containers']) {
      const reply = await fleet.request(fleet.api, 'POST', path, body)
      expectProblem(reply, 413, 'body_too_large', 'body', 'at most 1 MB', 'more')
    }
  })

  test('objects and lists in more than 32 levels, however many', async () => {
    for (const body of [nested(33), nested(100_000), `{"a":${'['.repeat(32)}${']'.repeat(32)}}`]) {
      for (const path of ['/', '/v1/containers']) {
        const reply = await fleet.request(fleet.api, 'POST', path, body)
        expectProblem(reply, 400, 'malformed_json', 'body', 'at most 32 levels of objects and lists', 'more')
      }
    }
    const allowed = await fleet.request(fleet.api, 'POST', '/v1/containers', nested(32))
    expectProblem(allowed, 400, 'invalid_request', 'a', 'one of the fields', '"a"')
  })

  test.each(['__proto__', 'constructor', 'prototype'])('a field called %s, at any depth', async (name) => {
    const top = `{"action": "create-container", "image": "busybox", "${name}": {"admin": true}}`
    const deep = `{"action": "create-raw-container", "body": {"Image": "busybox", "Labels": {"${name}": {}}}}`
    const escaped = `{"action": "create-container", "image": "busybox", "${name.replace('o', '\\u006f')}": {}}`
    for (const [field, body] of [
      [name, top],
      [name, escaped],
      [`body.Labels.${name}`, deep],
    ] as const) {
      expectProblem(await fleet.post(body), 400, 'invalid_request', field, 'no field of that name', 'one')
    }
  })

  test('a field that stands twice', async () => {
    const reply = await fleet.post('{"action": "create-container", "image": "busybox", "image": "ubuntu"}')
    expectProblem(reply, 400, 'invalid_request', 'image', 'each field once', 'it twice')
  })
})

describe('a field that is not as expected is named, with what was expected and what arrived', () => {
  test.each<[string, Record<string, unknown>, string, string, string]>([
    ['no action', {}, 'action', 'a value', 'nothing'],
    ['an unknown action', { action: 'format-disk' }, 'action', 'one of ', '"format-disk"'],
    ['an action of Object’s', { action: 'toString' }, 'action', 'one of ', '"toString"'],
    ['an action that is no string', { action: 7 }, 'action', 'a string', '7'],
    ['a missing field', { action: 'start-container' }, 'id', '64 hex digits', 'nothing'],
    ['an unknown field', { action: 'list-images', all: true }, 'all', 'one of the fields hostname', '"all"'],
    ['a number for a string', { action: 'create-container', image: 3 }, 'image', 'an image reference', '3'],
    ['a string for a number', { ...spec(), instances: '2' }, 'instances', 'a whole number from 1 to 1000', '"2"'],
    ['no instances', { ...spec(), instances: 0 }, 'instances', 'a whole number from 1 to 1000', '0'],
    ['instances by half', { ...spec(), instances: 1.5 }, 'instances', 'a whole number', '1.5'],
    ['too many instances', { ...spec(), instances: 1001 }, 'instances', 'a whole number', '1001'],
    ['a host name that is none', { action: 'register', hostname: 'Dock_1' }, 'hostname', 'a host name', '"Dock_1"'],
    ['a host name with a topic in it', { action: 'register', hostname: 'a:b' }, 'hostname', 'a host name', '"a:b"'],
    ['a field deep inside', { ...spec(), mounts: [{ target: 'data' }] }, 'mounts[0].target', 'an absolute', '"data"'],
    ['a label of Deblox’s', { ...spec(), labels: { 'deblox.owner': 'me' } }, 'labels.deblox.owner', 'a label', 'own'],
    ['a name like an id', { ...spec(), name: 'abcdef012345' }, 'name', '2 to 128 of', '"abcdef012345"'],
    ['a template’s path', { action: 'create-container', template: '../x' }, 'template', 'at most 64', '"../x"'],
    ['a raw body that is a list', { action: 'create-raw-container', body: [] }, 'body', 'an object', 'a list'],
  ])('%s', async (_, document, field, expected, got) => {
    const code =
      document['action'] === 'format-disk' || document['action'] === 'toString' ? 'unknown_action' : undefined
    expectProblem(await fleet.post(document), 400, code ?? 'invalid_request', field, expected, got)
  })

  test('all that is wrong is told at once', async () => {
    const { body } = await fleet.request(fleet.api, 'POST', '/v1/containers', { image: 3, cpus: 'many', foo: 1 })
    expect((body.fields as { field: string }[]).map(({ field }) => field)).toEqual(['image', 'cpus', 'foo'])
  })

  test('a template that is stored is held to the same rules', async () => {
    const reply = await fleet.request(fleet.api, 'PUT', '/v1/templates/bad', { image: 'busybox', memory: 'lots' })
    expectProblem(reply, 400, 'invalid_request', 'memory', 'bytes, or a size', '"lots"')
    expect((await fleet.request(fleet.api, 'GET', '/v1/templates/bad')).status).toBe(404)
  })
})

function spec(): Record<string, unknown> {
  return { action: 'create-container', image: 'busybox' }
}

async function expectNothingChanged(): Promise<void> {
  expect(await fleet.census()).toEqual(before)
  expect(await newestJob()).toEqual(jobsBefore)
  expect(fleet.api.process.running).toBe(true)
}

async function newestJob(): Promise<unknown> {
  return (await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1')).body
}
