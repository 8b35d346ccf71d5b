import { subscribe, unsubscribe } from 'node:diagnostics_channel'
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
