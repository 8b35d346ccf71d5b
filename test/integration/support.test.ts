import { readlink } from 'node:fs/promises'
import { Redis } from 'ioredis'
import type { Engine } from '../support/engines'
import { eventually } from '../support/eventually'
import { startRedis } from '../support/redis'
import { startRegistry } from '../support/registry'
import { sharedEngines, sharedRedisUrl } from '../support/shared'

const engines = sharedEngines()

afterEach(() => Promise.all(engines.map((engine) => engine.reset())))

test('three engines run side by side, each in a network namespace and with an identity of its own', async () => {
  const pids = await Promise.all(engines.map((engine) => engine.pid()))
  const namespaces = await Promise.all(['self', ...pids].map((pid) => readlink(`/proc/${pid}/ns/net`)))
  const infos = await Promise.all(engines.map((engine) => engine.docker.info()))

  expect(engines).toHaveLength(3)
  expect(new Set(namespaces).size).toBe(4)
  expect(new Set(infos.map((info) => info.ID)).size).toBe(3)
  expect(infos.map((info) => info.Name)).toEqual(engines.map((engine) => engine.name))
})

test('a container is on the engine that made it and on no other', async () => {
  await Promise.all(engines.map((engine, index) => runBusybox(engine, `only-on-${index}`)))

  const lists = await Promise.all(engines.map((engine) => engine.docker.listContainers({ all: true })))

  expect(lists.map((list) => list.map(({ Names }) => Names))).toEqual([
    [['/only-on-0']],
    [['/only-on-1']],
    [['/only-on-2']],
  ])
})

test('an engine that was killed comes back with its containers, stopped', async () => {
  const engine = first(engines)
  const { id } = await runBusybox(engine, 'survivor')

  await engine.kill()
  await engine.start()

  const { State } = await engine.docker.getContainer(id).inspect()
  expect(State.Running).toBe(false)
})

test('an engine that is frozen answers nothing, and all of it afterwards', async () => {
  const engine = first(engines)
  let answered = false
  await engine.pause()
  const answer = engine.docker.ping().finally(() => (answered = true))
  const others = await Promise.all(engines.slice(1).map((other) => other.docker.info()))
  const answeredWhileFrozen = answered
  await engine.resume()

  expect(others).toHaveLength(2)
  expect(answeredWhileFrozen).toBe(false)
  expect(String(await answer)).toBe('OK')
})

test('an engine pulls by any name what was pushed to the registry beside it', async () => {
  const engine = first(engines)
  const registry = await startRegistry(engine)
  await registry.push('busybox', 'library/ubuntu', 'latest')

  const progress = await engine.docker.pull('ubuntu:latest')
  await new Promise((resolve) => engine.docker.modem.followProgress(progress, resolve))

  expect((await engine.docker.getImage('ubuntu:latest').inspect()).RepoTags).toContain('ubuntu:latest')
  await registry.remove()
  await engine.docker.getImage('ubuntu:latest').remove()
})

test('the shared Redis is set so that it loses no job', async () => {
  const redis = new Redis(sharedRedisUrl())
  const settings = await redis.config('GET', 'append*', 'maxmemory-policy')
  redis.disconnect()

  expect(settings).toEqual(expect.arrayContaining(['always', 'noeviction']))
})

test('a Redis of its own keeps what it has acknowledged through kill -9, on the same port', async () => {
  const server = await startRedis()
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 10 })
  redis.on('error', () => undefined)
  await redis.set('key', 'value')

  await server.kill()
  await server.start()

  expect(await redis.get('key')).toBe('value')
  redis.disconnect()
  await server.remove()
})

test('what never comes about is told with what was seen last', async () => {
  const waiting = eventually(
    () => 'still not',
    (value) => value === 'done',
    { within: 50, what: 'the thing is done' },
  )

  await expect(waiting).rejects.toThrow("not within 50 ms: the thing is done\nlast seen: 'still not'")
})

async function runBusybox(engine: Engine, name: string): Promise<{ id: string }> {
  const container = await engine.docker.createContainer({ name, Image: 'busybox' })
  await container.start()
  return { id: container.id }
}

function first<T>(list: T[]): T {
  const [value] = list
  if (value === undefined) throw new Error('expected at least one')
  return value
}
