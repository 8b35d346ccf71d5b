import type { ServerResponse } from 'node:http'
import type { ListedKind } from '@deblox/fleet/index'
import { pino } from 'pino'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { eventually } from '../../../test/support/eventually'
import { Gate } from './gate'
import { away, IndexDouble, owners } from './testing/watch-doubles'
import { Watch } from './watch'
import { listedKinds, WatchedList } from './watch-lists'

const double = useDockerDouble()

let index: IndexDouble
let watch: Watch
let streams: ServerResponse[]
/** What the daemon has of each kind. */
let has: { images: object[]; volumes: object; networks: object[] }

const image = (id: string, tags: string[] | null = [`${id}:latest`], digests: string[] | null = []) => ({
  Id: `sha256:${id}`,
  RepoTags: tags,
  RepoDigests: digests,
  Size: 7,
  Created: 1_700_000_000,
  Labels: { a: 'b' },
})

beforeEach(() => {
  index = new IndexDouble()
  streams = []
  away.clear()
  has = { images: [image('one')], volumes: { Volumes: [], Warnings: null }, networks: [] }
  watch = new Watch(double.docker, index as never, 'here', owners, new Gate(true), pino({ level: 'silent' }))
  double.answer('GET /containers/json', { status: 200, body: [] })
  double.answer('GET /images/json', (response) => response.end(JSON.stringify(has.images)))
  double.answer('GET /volumes', (response) => response.end(JSON.stringify(has.volumes)))
  double.answer('GET /networks', (response) => response.end(JSON.stringify(has.networks)))
  double.answer('GET /events', (response) => {
    response.flushHeaders()
    streams.push(response)
  })
})
afterEach(() => watch.stop())

const settled = (kind: ListedKind) => index.settled.filter((one) => one.kind === kind)
const following = async () => {
  watch.start()
  await eventually(() => streams.length === 1 && listedKinds.every((kind) => settled(kind).length === 1))
}
const tell = (event: object) => streams.at(-1)?.write(`${JSON.stringify(event)}\n`)

test('all images, volumes and networks are listed when events begin', async () => {
  const CreatedAt = '2026-01-01T01:00:00+01:00'
  has.images = [image('one', ['b:1', 'a:1'], ['b@sha256:2', 'a@sha256:1']), image('none', null, null)]
  has.volumes = {
    Volumes: [{ Name: 'data', Driver: 'local', Scope: 'local', Labels: null, CreatedAt }],
    Warnings: null,
  }
  has.networks = [
    {
      Id: 'ab',
      Name: 'bridge',
      Driver: 'bridge',
      Scope: 'local',
      Internal: true,
      Labels: { c: 'd' },
      Created: CreatedAt,
    },
  ]
  await following()
  const common = { dock: 'here', observedAt: expect.any(String) }
  const createdAt = '2026-01-01T00:00:00.000Z'
  expect(settled('image')).toEqual([
    {
      kind: 'image',
      complete: true,
      rows: [
        {
          ...common,
          id: 'sha256:one',
          tags: ['a:1', 'b:1'],
          digests: ['a@sha256:1', 'b@sha256:2'],
          size: 7,
          createdAt: '2023-11-14T22:13:20.000Z',
        },
        { ...common, id: 'sha256:none', tags: [], digests: [], size: 7, createdAt: '2023-11-14T22:13:20.000Z' },
      ],
    },
  ])
  const local = { ...common, scope: 'local', createdAt }
  expect(settled('volume')).toEqual([
    { kind: 'volume', complete: true, rows: [{ ...local, name: 'data', driver: 'local', labels: {} }] },
  ])
  expect(settled('network')).toEqual([
    {
      kind: 'network',
      complete: true,
      rows: [{ ...local, id: 'ab', name: 'bridge', driver: 'bridge', internal: true, labels: { c: 'd' } }],
    },
  ])
})

test.each<[ListedKind, object]>([
  ['image', { Type: 'image', Action: 'tag', Actor: { ID: 'sha256:one' } }],
  ['image', { Type: 'container', Action: 'commit', Actor: { ID: 'ab'.repeat(32) } }],
  ['volume', { Type: 'volume', Action: 'create', Actor: { ID: 'data' } }],
  ['network', { Type: 'network', Action: 'destroy', Actor: { ID: 'cd'.repeat(32) } }],
])('an event of its kind has every %s listed, and nothing else: %j', async (kind, event) => {
  await following()
  const before = double.asked.length
  tell(event)
  await eventually(() => settled(kind).length === 2)
  const path = { image: 'GET /images/json', volume: 'GET /volumes', network: 'GET /networks' }[kind]
  expect(double.asked.slice(before).map(({ what }) => what)).toEqual([path])
})

describe('a thousand events', () => {
  const stopping = new AbortController()
  const missed = jest.fn()
  let lists: number
  let list: WatchedList<'image'>

  beforeEach(() => {
    jest.useFakeTimers()
    lists = 0
    const listImages = async () => {
      lists++
      return []
    }
    list = new WatchedList('image', { listImages } as never, index as never, 'here', stopping.signal, missed)
  })
  afterEach(() => {
    jest.useRealTimers()
  })
  const thousand = () => {
    for (let n = 0; n < 1_000; n++) list.touch()
  }

  test('are one list, soon, and further ones another a second later', async () => {
    thousand()
    await jest.advanceTimersByTimeAsync(50)
    expect(lists).toBe(1)
    thousand()
    await jest.advanceTimersByTimeAsync(999)
    expect(lists).toBe(1)
    await jest.advanceTimersByTimeAsync(1)
    expect(lists).toBe(2)
    await jest.advanceTimersByTimeAsync(60_000)
    expect(lists).toBe(2)
    expect(missed).not.toHaveBeenCalled()
  })

  test('are nothing after the end, and not when that comes before their list', async () => {
    thousand()
    stopping.abort()
    await list.ended()
    expect(jest.getTimerCount()).toBe(0)
    const later = new WatchedList('image', {} as never, index as never, 'here', stopping.signal, missed)
    later.touch()
    expect(jest.getTimerCount()).toBe(0)
  })
})

test.each([
  ['is cut short', '[{"Id":"'],
  ['is an object', '{}'],
  ['is null', 'null'],
])('a list that %s is written nowhere, and others are', async (_, body) => {
  double.reset()
  for (const what of ['GET /containers/json', 'GET /networks']) double.answer(what, { status: 200, body: [] })
  double.answer('GET /images/json', (response) => response.end(body))
  double.answer('GET /volumes', (response) => response.end(`{"Volumes":${body}`))
  await watch.listAll()
  await eventually(() => settled('network').length === 1 && double.asked.length === 4)
  await watch.stop()
  expect(index.settled.map(({ kind }) => kind)).toEqual(['network'])
})

test('volumes are not all of them where a driver did not answer', async () => {
  has.volumes = { Volumes: [], Warnings: ['driver x: no such host'] }
  await following()
  expect(settled('volume')).toEqual([{ kind: 'volume', rows: [], complete: false }])
})

test('a daemon that has no such list is asked again with the next full list', async () => {
  double.reset()
  double.answer('GET /containers/json', { status: 200, body: [] })
  const asked = () => double.asked.filter(({ what }) => what === 'GET /volumes').length
  for (let n = 1; n <= 2; n++) {
    await watch.listAll()
    await eventually(asked, (count) => count === n)
  }
  expect(index.settled).toEqual([])
})
