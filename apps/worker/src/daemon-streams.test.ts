import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { eventually } from '../../../test/support/eventually'
import { DaemonStreams } from './daemon-streams'
import { useStreamsDouble } from './testing/streams-double'

const double = useStreamsDouble()
const opened = () => new DaemonStreams(double.dockerHost, () => true)

test('an answer that comes as its caller leaves is given to nobody', async () => {
  double.answer('GET /x', (response) => response.flushHeaders())
  const leaving = new AbortController()
  // Node tells of a response here before it gives it on.
  const leave = () => leaving.abort(new Error('the caller has left'))
  subscribe('http.client.response.finish', leave)
  try {
    await expect(opened().open({ method: 'GET', path: '/x' }, leaving.signal)).rejects.toThrow('the caller has left')
  } finally {
    unsubscribe('http.client.response.finish', leave)
  }
})

test.each([200, 301, 404])('a connection is not to be had of a daemon that answers %i', async (status) => {
  double.refuse('POST /exec/1/start', status)
  const asked = { method: 'POST', path: '/exec/1/start', json: {} } as const
  const reason = status === 404 ? 'no such exec' : `another status from the daemon than ${status}`
  await expect(opened().hijack(asked, new AbortController().signal)).rejects.toThrow(reason)
})

test('nothing is asked for a caller who has left', async () => {
  const left = AbortSignal.abort(new Error('the caller has left'))
  await expect(opened().open({ method: 'GET', path: '/x' }, left)).rejects.toThrow('the caller has left')
  expect(double.asked).toEqual([])
})

test('nothing listens any more to whether a caller leaves when what he sent has been answered', async () => {
  double.answer('PUT /x', (response, request) => request.resume().on('end', () => response.end('ok')))
  const { signal } = new AbortController()
  async function* tar() {
    yield Buffer.from('an archive')
  }
  for (let sent = 0; sent < 5; sent++) {
    const answer = await opened().open({ method: 'PUT', path: '/x', tar: tar() }, signal)
    await answer.resume().toArray()
  }
  await eventually(() => expect(getEventListeners(signal, 'abort')).toEqual([]))
})

test('whoever leaves while he sends is not waited for, though his archive goes on', async () => {
  double.answer('PUT /x', (response) => response.end('ok'))
  const leaving = new AbortController()
  async function* tar() {
    yield Buffer.from('a part')
    await new Promise(() => {})
  }
  let heard: () => void = () => {}
  const answered = new Promise<void>((resolve) => (heard = resolve))
  subscribe('http.client.response.finish', heard)
  const sent = opened().open({ method: 'PUT', path: '/x', tar: tar() }, leaving.signal)
  // When the daemon has answered, too, all of the archive is waited for.
  await answered
  await new Promise((resolve) => setImmediate(resolve))
  leaving.abort(new Error('the caller has left'))
  await expect(sent).rejects.toThrow('the caller has left')
  expect(getEventListeners(leaving.signal, 'abort')).toEqual([])
  unsubscribe('http.client.response.finish', heard)
})
