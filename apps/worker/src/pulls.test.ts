import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { Pulls } from './pulls'

/** Pulls that end when the test says so, and what has begun. */
function pulling() {
  const pulls = new Pulls()
  const begun: string[] = []
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void; signal: AbortSignal }>()
  const join = (image: string, signal = new AbortController().signal) =>
    pulls.once(image, signal, async (ending) => {
      begun.push(image)
      const { promise, resolve, reject } = deferred()
      ends.set(image, { resolve, reject, signal: ending })
      ending.addEventListener('abort', () => reject(ending.reason as Error), { once: true })
      await promise
    })
  const of = (image: string) => {
    const end = ends.get(image)
    if (!end) throw new Error(`expected a pull of ${image}, got none`)
    return end
  }
  return { pulls, begun, join, of }
}

test('two jobs of one image are served by one pull', async () => {
  const { pulls, begun, join, of } = pulling()
  const both = [join('busybox'), join('busybox')]
  expect(begun).toEqual(['busybox'])
  expect(pulls.waiters).toBe(2)
  of('busybox').resolve()
  await Promise.all(both)
  expect(begun).toEqual(['busybox'])
  expect(pulls.waiters).toBe(0)
})

test('images are pulled side by side, up to four; the next one has its turn when one has ended', async () => {
  const { begun, join, of } = pulling()
  const images = ['a', 'b', 'c', 'd', 'e', 'f']
  const all = images.map((image) => join(image))
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  of('c').resolve()
  await all[2]
  await eventually(() => expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']))
  for (const image of ['a', 'b', 'd', 'e']) of(image).resolve()
  await eventually(() => of('f').resolve())
  await Promise.all(all)
})

test('a job that leaves leaves the pull to the others', async () => {
  const { pulls, join, of } = pulling()
  const leaving = new AbortController()
  const [one, other] = [join('busybox', leaving.signal), join('busybox')]
  leaving.abort(new Error('cancelled'))
  await expect(one).rejects.toThrow('cancelled')
  expect(of('busybox').signal.aborted).toBe(false)
  expect(pulls.waiters).toBe(1)
  of('busybox').resolve()
  await other
})

test('the last one to leave ends the pull, and whoever comes then begins anew', async () => {
  const { begun, join, of } = pulling()
  const [first, last] = [new AbortController(), new AbortController()]
  const both = [join('busybox', first.signal), join('busybox', last.signal)]
  const { signal } = of('busybox')
  for (const leaving of [first, last]) leaving.abort(new Error('cancelled'))
  await expect(Promise.allSettled(both)).resolves.toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  expect(signal.aborted).toBe(true)
  const next = join('busybox')
  of('busybox').resolve()
  await next
  expect(begun).toEqual(['busybox', 'busybox'])
})

test('one that comes while the last one leaves keeps the pull going', async () => {
  const { begun, join, of } = pulling()
  const leaving = new AbortController()
  const last = join('busybox', leaving.signal)
  leaving.abort(new Error('cancelled'))
  const next = join('busybox')
  await expect(last).rejects.toThrow('cancelled')
  expect(of('busybox').signal.aborted).toBe(false)
  of('busybox').resolve()
  await next
  expect(begun).toEqual(['busybox'])
})

test('a pull that nobody waits for any more is not begun when its turn comes', async () => {
  const { begun, join, of } = pulling()
  const four = ['a', 'b', 'c', 'd'].map((image) => join(image))
  const leaving = new AbortController()
  const fifth = join('e', leaving.signal)
  leaving.abort(new Error('cancelled'))
  await expect(fifth).rejects.toThrow('cancelled')
  for (const image of ['a', 'b', 'c', 'd']) of(image).resolve()
  await Promise.all(four)
  const sixth = join('f')
  await eventually(() => of('f').resolve())
  await sixth
  expect(begun).toEqual(['a', 'b', 'c', 'd', 'f'])
})

test('a failure reaches all who wait, and the next one begins anew', async () => {
  const { begun, join, of } = pulling()
  const both = [join('busybox'), join('busybox')]
  of('busybox').reject(new Error('registry is away'))
  for (const one of both) await expect(one).rejects.toThrow('registry is away')
  const again = join('busybox')
  expect(begun).toEqual(['busybox', 'busybox'])
  of('busybox').resolve()
  await again
})

test('one that was to stop before it came does not join', async () => {
  const { begun, join } = pulling()
  await expect(join('busybox', AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled')
  expect(begun).toEqual([])
})

test('all who wait for a pull hear how far it is, under the image’s name alone, and its end', async () => {
  const pulls = new Pulls()
  const heard: unknown[] = []
  const { promise, resolve } = deferred()
  const layers = new Map([['0123456789ab', { status: 'Downloading', current: 1 }]])
  const join = () =>
    pulls.once(
      'busybox:latest 7d9f',
      new AbortController().signal,
      async (_ending, onLayers) => {
        onLayers?.(layers)
        await promise
        layers.set('0123456789ab', { status: 'Pull complete', current: 2 })
        onLayers?.(layers)
      },
      (progress) => void heard.push(progress),
    )
  const both = [join(), join()]
  const told = (status: string, current: number) => {
    return { image: 'busybox:latest', layers: { '0123456789ab': { status, current } } }
  }
  await eventually(() => expect(heard).toEqual([told('Downloading', 1), told('Downloading', 1)]))
  resolve()
  await Promise.all(both)
  expect(heard.slice(2)).toEqual([told('Pull complete', 2), told('Pull complete', 2)])
})
