import { getEventListeners } from 'node:events'
import type { Answering } from '@deblox/fleet/calls/call'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { guarded } from './guarded'

const permission = { name: 'exec-container', target: 'container' } as const

function dock() {
  const { context, state } = callContextDouble('unix:///nowhere/docker.sock')
  const listeners = () =>
    [state.daemonLost, state.leaseLost].map(({ signal }) => getEventListeners(signal, 'abort').length)
  const asked = (call: Answering, writes: boolean) => ({ call, context, permission, id: undefined, writes })
  return { state, listeners, asked }
}

const call = () => new AnsweringDouble({ kind: permission.name, params: {} })
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

test.each([
  ['answered', async () => 'all of it'],
  ['refused', () => Promise.reject(new Error('no'))],
])('nothing of a call that was %s listens any more to the daemon and the lease', async (_, answer) => {
  const { asked, listeners } = dock()
  const during: number[][] = []
  for (let calls = 0; calls < 30; calls++) {
    const answering = () => {
      during.push(listeners())
      return answer()
    }
    await guarded(asked(call(), true), answering).catch(() => undefined)
  }
  expect(during).toEqual(Array.from({ length: 30 }, () => [1, 1]))
  expect(listeners()).toEqual([0, 0])
})

test('a call that only reads does not listen to the lease', async () => {
  const { asked, listeners } = dock()
  await expect(guarded(asked(call(), false), async () => listeners())).resolves.toEqual([1, 0])
})

test('nor does one listen whose caller has left', async () => {
  const { asked, listeners } = dock()
  const one = call()
  const ended = guarded(asked(one, true), untilAborted)
  one.leave()
  await expect(ended).rejects.toMatchObject({ code: 'internal' })
  expect(listeners()).toEqual([0, 0])
})

test.each([
  ['daemonLost', 'daemon_unhealthy'],
  ['leaseLost', 'lease_lost'],
] as const)('a call under way ends with %s, told as %s', async (which, code) => {
  const { asked, listeners, state } = dock()
  const ended = guarded(asked(call(), true), untilAborted)
  state[which].abort(new Error('it is lost'))
  await expect(ended).rejects.toMatchObject({ code })
  expect(listeners()).toEqual([0, 0])
})
