import type { ServerResponse } from 'node:http'
import fc from 'fast-check'
import { pino } from 'pino'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { eventually } from '../../../test/support/eventually'
import { Gate } from './gate'
import { away, IndexDouble, owners } from './testing/watch-doubles'
import { Watch } from './watch'

const double = useDockerDouble()

const id = (n: number): string => n.toString(16).padStart(64, '0')

const listed = (n: number, state = 'running') => ({
  Id: id(n),
  Names: [`/container-${n}`],
  Image: 'busybox',
  State: state,
  Status: state,
  Created: 1_700_000_000,
  Labels: {},
})

type Listed = ReturnType<typeof listed>

let index: IndexDouble
let daemon: Gate
let watch: Watch
let containers: Map<string, Listed>
let streams: ServerResponse[]

beforeEach(() => {
  index = new IndexDouble()
  daemon = new Gate(true)
  containers = new Map()
  streams = []
  away.clear()
  watch = new Watch(double.docker, index as never, 'here', owners, daemon, pino({ level: 'silent' }))
  double.answer('GET /containers/json', (response) => {
    const { filters } = double.asked.at(-1)?.query ?? {}
    const ids = filters === undefined ? undefined : (JSON.parse(filters) as { id: string[] }).id
    const found = [...containers.values()].filter(({ Id }) => ids === undefined || ids.includes(Id))
    response.end(JSON.stringify(found))
  })
  double.answer('GET /events', (response) => {
    response.flushHeaders()
    streams.push(response)
  })
})

afterEach(() => watch.stop())

const hold = (...all: Listed[]) => {
  for (const one of all) containers.set(one.Id, one)
}
const event = (n: number, more = {}) => `${JSON.stringify({ Type: 'container', Actor: { ID: id(n), ...more } })}\n`
const lists = () => double.asked.filter(({ what }) => what === 'GET /containers/json')
const following = async () => {
  watch.start()
  await eventually(() => streams.length === 1 && index.writes.length > 0)
}
const states = () => [...index.kept.values()].map((row) => [row.name, row.state])

describe('a full list', () => {
  test('writes what is new or other, and removes what is gone', async () => {
    hold(listed(1), listed(2), listed(3))
    await watch.listAll()
    hold(listed(2, 'exited'), listed(4))
    containers.delete(id(3))
    await watch.listAll()
    expect(index.writes.at(-1)).toEqual({ rows: [id(2), id(4)], gone: [id(3)], full: true })
    expect([...index.kept.keys()].sort()).toEqual([id(1), id(2), id(4)])
  })

  test('tells whose a container is by what the dock knows, and forgets who has one that is gone', async () => {
    const labelled = (n: number, owner: string) => ({ ...listed(n), Labels: { 'deblox.owner': owner } })
    hold(labelled(1, 'anna'), labelled(2, 'mallory'), labelled(3, 'anna'))
    for (const n of [3, 4]) away.add(id(n))
    await watch.listAll()
    expect([...index.kept.values()].map(({ owner }) => owner)).toEqual(['anna', null, 'ben'])
    expect([...away]).toEqual([id(3)])
  })

  test('does not forget who was given a container while it was under way', async () => {
    double.reset()
    double.answer('GET /containers/json', (response) => {
      away.add(id(9))
      response.end('[]')
    })
    await watch.listAll()
    expect([...away]).toEqual([id(9)])
  })

  test.each([
    ['an object', '{"message":"no"}'],
    ['text that is cut short', '[{"Id":"'],
    ['null', 'null'],
    ['nothing', ''],
  ])('that is no list but %s removes nothing', async (_, body) => {
    hold(listed(1))
    await watch.listAll()
    double.reset()
    double.answer('GET /containers/json', (response) => response.end(body))
    await watch.listAll()
    expect(index.writes).toHaveLength(1)
    expect(index.kept.size).toBe(1)
  })

  test('that the daemon refuses removes nothing', async () => {
    hold(listed(1))
    await watch.listAll()
    double.reset()
    double.answer('GET /containers/json', { status: 500, body: { message: 'oh' } })
    await watch.listAll()
    expect(index.kept.size).toBe(1)
  })

  test('that is never answered counts as a daemon that hangs, although it may answer pings', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
    double.reset()
    const arrived = new Promise<void>((resolve) => double.answer('GET /containers/json', () => resolve()))
    const listing = watch.listAll()
    await arrived
    expect(daemon.isOpen()).toBe(true)
    jest.advanceTimersByTime(20_000)
    await listing
    expect(daemon.isOpen()).toBe(false)
    jest.useRealTimers()
  })

  test('is made when a daemon goes on that hung, also where it goes on with the same event stream', async () => {
    await following()
    daemon.set(false)
    hold(listed(1))
    daemon.set(true)
    await eventually(() => index.kept.size === 1)
    expect(streams).toHaveLength(1)
  })
})

describe('a refresh', () => {
  test('asks about one container and touches no other row', async () => {
    hold(listed(1), listed(2))
    await watch.listAll()
    hold(listed(1, 'paused'), listed(2, 'paused'))
    await watch.refresh(id(1))
    expect(index.writes.at(-1)).toEqual({ rows: [id(1)], gone: [], full: false })
    expect(states()).toEqual([
      ['container-1', 'paused'],
      ['container-2', 'running'],
    ])
  })

  test('removes a container that the daemon no longer has', async () => {
    hold(listed(1))
    await watch.listAll()
    containers.clear()
    await watch.refresh(id(1))
    expect(index.kept.size).toBe(0)
  })

  test('of very many containers at once is a full list', async () => {
    hold(...Array.from({ length: 60 }, (_, n) => listed(n)))
    await watch.listAll()
    await Promise.all(Array.from({ length: 60 }, (_, n) => watch.refresh(id(n))))
    // The first one goes off alone, the others share the run after it.
    expect(lists().map(({ query }) => 'filters' in query)).toEqual([false, true, false])
  })

  test('that could not be written is made up for by a full list', async () => {
    hold(listed(1), listed(2))
    await watch.listAll()
    index.fails = 1
    hold(listed(1, 'exited'))
    await watch.refresh(id(1))
    expect(states()[0]).toEqual(['container-1', 'running'])
    await watch.refresh(id(2))
    expect(index.writes.at(-1)).toMatchObject({ full: true })
    expect(states()[0]).toEqual(['container-1', 'exited'])
  })
})

describe('events', () => {
  test('are followed after a full list, and bring the index up to date', async () => {
    hold(listed(1))
    await following()
    expect(states()).toEqual([['container-1', 'running']])
    hold(listed(1, 'exited'), listed(2))
    streams[0]?.write(event(1) + event(2))
    await eventually(() => states().length === 2 && states()[0]?.[1] === 'exited')
  })

  test('are read wherever the stream is cut', async () => {
    await following()
    const bytes = Buffer.from(event(1, { Attributes: { name: 'größe-漢字-🐳' } }).repeat(3))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
        const before = lists().length
        const ends = [...cuts, bytes.length].sort((one, other) => one - other)
        for (const [n, end] of ends.entries()) {
          const part = bytes.subarray(ends[n - 1] ?? 0, end)
          await new Promise<void>((sent) => streams[0]?.write(part, () => sent()))
          await new Promise<void>((resolve) => setImmediate(resolve))
        }
        await eventually(() => lists().length > before)
      }),
      { numRuns: 25 },
    )
    expect(streams).toHaveLength(1)
  })

  test('that say nothing about a container are passed over', async () => {
    await following()
    const before = lists().length
    hold(listed(1))
    streams[0]?.write(`{"Type":"daemon"}\n{"Actor":{}}\n${event(1)}`)
    await eventually(() => index.kept.size === 1)
    expect(lists()).toHaveLength(before + 1)
    expect(streams).toHaveLength(1)
  })

  test.each([
    ['ends', (stream: ServerResponse) => stream.end()],
    ['breaks', (stream: ServerResponse) => stream.destroy()],
    ['holds what is not JSON', (stream: ServerResponse) => stream.write('oh no\n')],
  ])('are followed anew, with a full list, when the stream %s', async (_, end) => {
    await following()
    hold(listed(1))
    end(streams[0] as ServerResponse)
    await eventually(() => streams.length === 2 && index.kept.size === 1)
    expect(index.writes.at(-1)).toMatchObject({ full: true })
  })

  test('are not asked of a daemon that is away', async () => {
    daemon.set(false)
    watch.start()
    await new Promise<void>((resolve) => setImmediate(resolve))
    expect(double.asked).toEqual([])
    daemon.set(true)
    await eventually(() => streams.length === 1)
  })

  test('are no longer followed after the end, and the stream is closed', async () => {
    await following()
    const closed = jest.fn()
    streams[0]?.on('close', closed)
    await watch.stop()
    await eventually(() => expect(closed).toHaveBeenCalled())
  })
})
