import { eventually } from '../../../test/support/eventually'
import { Limit } from './limit'

/** Tasks that end when told to, and what has begun so far. */
function tasks() {
  const begun: string[] = []
  const ends = new Map<string, { end: () => void; fail: (error: Error) => void }>()
  const task = (name: string) => async () => {
    begun.push(name)
    await new Promise<void>((resolve, reject) => ends.set(name, { end: resolve, fail: reject }))
    return name
  }
  return {
    begun,
    task,
    end: (name: string) => ends.get(name)?.end(),
    fail: (name: string) => ends.get(name)?.fail(new Error(name)),
  }
}

test('runs as many as it may at once, and the others in the order in which they came', async () => {
  const { begun, task, end } = tasks()
  const limit = new Limit(2)
  const all = ['a', 'b', 'c', 'd'].map((name) => limit.run(task(name)))
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await all[1]
  expect(begun).toEqual(['a', 'b', 'c'])
  end('c')
  await all[2]
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  end('a')
  end('d')
  await expect(Promise.all(all)).resolves.toEqual(['a', 'b', 'c', 'd'])
})

test('a task that fails makes room as well', async () => {
  const { begun, task, end, fail } = tasks()
  const limit = new Limit(1)
  const [first, second] = [limit.run(task('a')), limit.run(task('b'))]
  fail('a')
  await expect(first).rejects.toThrow('a')
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await expect(second).resolves.toBe('b')
})

test('after a rest there is as much room as before', async () => {
  const { begun, task, end } = tasks()
  const limit = new Limit(1)
  const first = limit.run(task('a'))
  end('a')
  await first
  void limit.run(task('b'))
  expect(begun).toEqual(['a', 'b'])
  const third = limit.run(task('c'))
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await Promise.resolve()
  void third
})

test('a part of a task that runs outside leaves its place to others, and has a place again afterwards', async () => {
  const { begun, task, end } = tasks()
  const limit = new Limit(1)
  const first = limit.run(async () => {
    await limit.outside(task('outside'))
    return task('inside again')()
  })
  const [second, third] = [limit.run(task('b')), limit.run(task('c'))]
  await Promise.resolve()
  expect(begun).toEqual(['outside', 'b'])
  end('outside')
  await Promise.resolve()
  // It waits for its turn behind those who came before.
  end('b')
  await second
  expect(begun).toEqual(['outside', 'b', 'c'])
  end('c')
  await third
  await eventually(() => expect(begun).toEqual(['outside', 'b', 'c', 'inside again']))
  end('inside again')
  await expect(first).resolves.toBe('inside again')
})

test('a part that fails outside has its place again as well, and the limit as much room as before', async () => {
  const { begun, task, end } = tasks()
  const limit = new Limit(1)
  await expect(limit.run(() => limit.outside(() => Promise.reject(new Error('outside'))))).rejects.toThrow('outside')
  const [first, second] = [limit.run(task('a')), limit.run(task('b'))]
  expect(begun).toEqual(['a'])
  end('a')
  await first
  end('b')
  await second
})
