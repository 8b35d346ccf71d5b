import { useFleet } from '../../../../test/support/fleet-on-redis'
import type { RedisClient } from '../redis'
import { Outbox, type Source } from './outbox'

const use = useFleet()

class Numbers implements Source {
  wasLost = 0

  constructor(
    readonly stream: string,
    private readonly name: string,
    private left: number,
    private readonly size = 1_000,
  ) {}

  next(): Buffer[] | null {
    if (this.left === 0) return null
    return [Buffer.from(`${this.name}${this.left--} `.padEnd(this.size))]
  }

  lost(): void {
    this.wasLost++
  }
}

const stream = async (): Promise<string> => {
  const key = use.fleet().keys.frames('replica')
  await use.redis().xadd(key, 'MAXLEN', 0, '*', 'f', '')
  return key
}
const sent = async (key: string) =>
  (await use.redis().xrange(key, '-', '+')).map(([, [, text = '']]) => text.slice(0, 12).trim())

test('each source has its turn, however much another has to send', async () => {
  const key = await stream()
  const outbox = new Outbox(use.redis(), () => {})
  outbox.offer(new Numbers(key, 'busy', 50, 60_000))
  outbox.offer(new Numbers(key, 'x', 2))
  await outbox.settled()
  expect((await sent(key)).slice(0, 5)).toEqual(['busy50', 'x2', 'busy49', 'x1', 'busy48'])
})

test('a source whose stream is gone is told, and it is not made', async () => {
  const outbox = new Outbox(use.redis(), () => {})
  const source = new Numbers(use.fleet().keys.frames('gone'), 'x', 1)
  outbox.offer(source)
  await outbox.settled()
  expect(source.wasLost).toBe(1)
  await expect(use.redis().exists(source.stream)).resolves.toBe(0)
})

test('what was not delivered is sent again before anything else', async () => {
  const key = await stream()
  let fails = 3
  const errors: Error[] = []
  const moody = new Proxy(use.redis(), {
    get(target, name) {
      if (name !== 'xadd') return Reflect.get(target, name, target) as unknown
      return (...told: Parameters<RedisClient['xadd']>) =>
        String(told.at(-1)).startsWith('a2') && fails-- > 0
          ? Promise.reject(new Error('Connection is closed.'))
          : target.xadd(...told)
    },
  })
  const outbox = new Outbox(moody, (error) => errors.push(error))
  outbox.offer(new Numbers(key, 'a', 3))
  await outbox.settled()
  // What came behind it was delivered, too: whoever reads it passes over what it has seen.
  expect((await sent(key)).filter((text, n, all) => all.indexOf(text) === n)).toEqual(['a3', 'a1', 'a2'])
  expect(errors).toHaveLength(3)
})

test('what was so at the moment only is not sent again', async () => {
  const key = await stream()
  let isAway = true
  const moody = new Proxy(use.redis(), {
    get(target, name) {
      if (name !== 'xadd' || !isAway) return Reflect.get(target, name, target) as unknown
      return () => Promise.reject(new Error('Connection is closed.'))
    },
  })
  const outbox = new Outbox(moody, () => (isAway = false))
  const beat = Object.assign(new Numbers(key, 'beat', 1), { isMomentary: true })
  outbox.offer(new Numbers(key, 'x', 1))
  outbox.offer(beat)
  outbox.offer(new Numbers(key, 'y', 1))
  await outbox.settled()
  expect(await sent(key)).toEqual(['x1', 'y1'])
  expect(beat.wasLost).toBe(0)
})

test('what is closed sends nothing more', async () => {
  const key = await stream()
  const outbox = new Outbox(use.redis(), () => {})
  outbox.close()
  outbox.offer(new Numbers(key, 'a', 3))
  await outbox.settled()
  await expect(sent(key)).resolves.toEqual([])
})
