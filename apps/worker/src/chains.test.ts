import fc from 'fast-check'
import { deferred } from '../../../test/support/deferred'
import { Chains } from './chains'

/** Everything that can run without time passing has run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A task that ends when told to. */
function held(name: string, log: string[]) {
  const { promise, resolve } = deferred<string>()
  return {
    end: () => resolve(name),
    task: () => {
      log.push(name)
      return promise
    },
  }
}

test('runs what has the same key one at a time, in the order asked for', async () => {
  const chains = new Chains()
  const log: string[] = []
  const [first, second, third] = ['first', 'second', 'third'].map((name) => held(name, log))
  const results = [first, second, third].map((task) => chains.run('a', task!.task))

  await settled()
  expect(log).toEqual(['first'])
  third!.end()
  second!.end()
  await settled()
  expect(log).toEqual(['first'])
  first!.end()

  await expect(Promise.all(results)).resolves.toEqual(['first', 'second', 'third'])
  expect(log).toEqual(['first', 'second', 'third'])
})

test('runs what has different keys in parallel', async () => {
  const chains = new Chains()
  const log: string[] = []
  const slow = held('slow', log)
  const running = chains.run('a', slow.task)

  await expect(chains.run('b', async () => 'quick')).resolves.toBe('quick')
  slow.end()
  await expect(running).resolves.toBe('slow')
})

test('goes on after a task that fails, or throws before it is a promise', async () => {
  const chains = new Chains()
  const failing = chains.run('a', () => Promise.reject(new Error('no')))
  const throwing = chains.run('a', () => {
    throw new Error('never a promise')
  })
  const after = chains.run('a', async () => 'done')

  await expect(failing).rejects.toThrow('no')
  await expect(throwing).rejects.toThrow('never a promise')
  await expect(after).resolves.toBe('done')
})

test('remembers no key for which nothing runs', async () => {
  const chains = new Chains()
  const { tails } = chains as unknown as { tails: Map<string, unknown> }
  const runs = Array.from({ length: 100 }, (_, n) =>
    chains.run(`key ${n % 10}`, () => (n % 3 === 0 ? Promise.reject(new Error('no')) : Promise.resolve())),
  )
  expect(tails.size).toBe(10)
  await Promise.allSettled(runs)
  expect(tails.size).toBe(0)
})

test('keeps the order of every key, whatever fails and however long each takes', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(5), fails: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const chains = new Chains()
      const begun: Record<string, number[]> = { a: [], b: [], c: [] }
      const active = new Set<string>()
      const run = ({ key, turns, fails }: (typeof steps)[number], n: number) =>
        chains.run(key, async () => {
          expect(active.has(key)).toBe(false)
          active.add(key)
          begun[key]?.push(n)
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          active.delete(key)
          if (fails) throw new Error('no')
        })
      const results = await Promise.allSettled(steps.map(run))
      expect(results.map(({ status }) => status === 'rejected')).toEqual(steps.map(({ fails }) => fails))
      for (const order of Object.values(begun)) expect(order).toEqual([...order].sort((one, other) => one - other))
    }),
  )
})
