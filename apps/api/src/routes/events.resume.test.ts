import { connectRedis } from '@deblox/fleet/redis'
import { eventually } from '../../../../test/support/eventually'
import { fullIdOf, rowOf } from '../../../../test/support/fleet-copies'
import { type EventReader, useReplicas } from '../../../../test/support/live-replicas'

const { docksWith, fleet, listen, replica, untilAllIsTold, use, write } = useReplicas()

describe('who comes back', () => {
  test('on whatever replica has missed nothing and hears nothing twice, over 1,000 random changes', async () => {
    await docksWith(3, 'dock-1', 'dock-2', 'dock-3')
    const replicas = [await replica(), await replica(), await replica()]
    const { keys, index, docks } = fleet()
    const from = replicas[0]?.copy.last as string
    const random = (below: number) => Math.floor(Math.random() * below)
    const change = async (): Promise<void> => {
      const dock = `dock-${1 + random(3)}`
      const what = random(20)
      if (what === 0) return docks.patch(dock, { labels: { n: String(random(1_000)) } })
      const owner = ['anna', 'ben', null][random(3)] ?? null
      const [row, gone] = [rowOf(dock, random(30), { owner, name: `n-${random(1_000)}` }), fullIdOf(random(30))]
      await index.write(dock, what < 4 ? [] : [row], what < 8 ? [gone] : [])
    }
    let isOver = false
    const changing = (async () => {
      for (let n = 0; n < 1_000; n += 5) await Promise.all(Array.from({ length: 5 }, change))
      await docks.register('last')
      isOver = true
    })()

    const followed = async (who: string) => {
      const heard: EventReader['heard'] = []
      let lastId = from
      let times = 0
      const isDone = () => heard.at(-1)?.data.id === 'last'
      while (!isDone()) {
        const reader = await listen(replicas[random(3)]?.url ?? '', { who, lastId })
        const enough = 1 + random(40)
        await eventually(() => reader.heard.length >= enough || (isOver && reader.heard.at(-1)?.data.id === 'last'))
        reader.leave()
        heard.push(...reader.heard)
        lastId = reader.lastId ?? ''
        times++
      }
      return { heard, times }
    }
    const [root, anna] = await Promise.all([followed('root'), followed('anna')])
    await changing
    const entries = await use.redis().xrange(keys.changes, `(${from}`, '+')
    expect(entries.length).toBeGreaterThan(900)
    expect(root.heard.map(({ id }) => id)).toEqual(entries.map(([id]) => id))
    const annas = root.heard.filter(({ data }) => data.kind === 'dock' || data.row?.['owner'] === 'anna')
    expect(anna.heard).toEqual(annas)
    expect(root.times).toBeGreaterThan(10)
  }, 60_000)

  test('too late is told that something is missing, and goes on from now', async () => {
    await docksWith(1, 'dock-1')
    const { url, copy } = await replica()
    const late = copy.last
    await write('dock-1', 2)
    await copy.settled()
    await use.redis().xtrim(fleet().keys.changes, 'MAXLEN', 1)
    const other = await replica()
    const reader = await listen(other.url, { lastId: late })
    await eventually(() => expect(reader.told[0]).toMatch(/^gap/))
    await write('dock-1', 3)
    await untilAllIsTold(reader)
    expect(reader.told).toEqual([
      expect.stringMatching(/^gap/),
      `container.changed ${fullIdOf(3)}`,
      'dock.changed last',
    ])
    expect(reader.heard[0]?.id).toBe(other.copy.recent.after(reader.heard[0]?.id ?? '', 0)?.last)
    // Where this replica has been there all the time it knows better.
    const here = await listen(url, { lastId: late })
    await eventually(() => expect(here.told[0]).toBe(`container.changed ${fullIdOf(2)}`))
  })

  test('with the greatest id that there can be, which somebody has spoilt the stream with, is told of a gap', async () => {
    await docksWith(1, 'dock-1')
    const { url } = await replica()
    const reader = await listen(url, { lastId: `${2n ** 64n - 1n}-${2n ** 64n - 1n}` })
    await eventually(() => expect(reader.heard.map(({ event }) => event)).toEqual(['gap']))
    await untilAllIsTold(reader)
  })

  test('with what is no id of an event is refused', async () => {
    const { url } = await replica()
    for (const lastId of ['x', '1', '-1-1', '1-1-1', `${'9'.repeat(40)}-1`, `${2n ** 64n}-1`]) {
      const { status } = await fetch(`${url}/v1/events`, { headers: { 'last-event-id': lastId } })
      expect(status).toBe(400)
    }
    expect((await fetch(`${url}/v1/events?lastEventId=x`)).status).toBe(400)
  })
})

test('who hears nothing is told where he stands, so that he need not begin long ago when he comes back', async () => {
  await docksWith(1, 'dock-1')
  const { url, copy } = await replica()
  const reader = await listen(url, { query: '?owner=nobody' })
  const first = reader.lastId
  await write('dock-1', 2)
  await copy.settled()
  await eventually(() => expect(reader.lastId).toBe(copy.last))
  expect(reader.lastId).not.toBe(first)
  expect(reader.heard).toEqual([])
})

test('a reader who takes nothing keeps nothing here, delays nobody, and has all of it when he goes on', async () => {
  await docksWith(0, 'dock-1')
  const { url, copy } = await replica()
  const [slow, fast] = [await listen(url), await listen(url)]
  slow.response.pause()
  slow.response.socket.pause()
  const labels = { long: 'x'.repeat(12_000) }
  for (let n = 0; n < 1_500; n += 50) {
    await fleet().index.write(
      'dock-1',
      Array.from({ length: 50 }, (_, m) => rowOf('dock-1', n + m, { labels })),
      [],
    )
    await eventually(() => copy.settled())
  }
  await eventually(() => expect(fast.heard).toHaveLength(1_500), undefined, { within: 20_000 })
  expect(slow.heard.length).toBeLessThan(1_200)
  slow.response.resume()
  slow.response.socket.resume()
  await eventually(() => expect(slow.heard).toHaveLength(1_500), undefined, { within: 20_000 })
  expect(slow.heard.map(({ id }) => id)).toEqual(fast.heard.map(({ id }) => id))
}, 60_000)

test('streams outlive a Redis that goes and comes back, and end when the API stops', async () => {
  await docksWith(1, 'dock-1')
  const quick = connectRedis(use.server().url, 'fail-fast')
  quick.on('error', () => undefined)
  const { url, stop } = await replica({ fleet: { redis: quick, keys: fleet().keys } })
  const reader = await listen(url)
  await write('dock-1', 2)
  await use.server().kill()
  await use.server().start()
  await write('dock-1', 3)
  await untilAllIsTold(reader)
  expect(reader.told).toEqual([2, 3].map((n) => `container.changed ${fullIdOf(n)}`).concat('dock.changed last'))

  await use.redis().flushall()
  await eventually(() => expect(reader.heard.at(-1)?.event).toBe('gap'))
  await docksWith(1, 'dock-2')
  await eventually(() => expect(reader.told).toContain('dock.changed dock-2'))
  expect(reader.isOver).toBe(false)
  stop()
  await eventually(() => reader.isOver)
  expect(reader.heard.at(-1)).toMatchObject({ event: 'error', data: { code: 'stream_broken' } })
  quick.disconnect()
}, 30_000)
