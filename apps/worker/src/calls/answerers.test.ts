import { callKinds } from '@deblox/actions/calls/kinds'
import { actions } from '@deblox/actions/registry'
import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { useStreamsDouble } from '../testing/streams-double'
import { answerersFor, type CallContext } from './answerers'

const double = useStreamsDouble()
const labels = { 'deblox.owner': 'anna' }
const inspected = (more: object = {}) => ({
  Id: someId,
  State: { Status: 'running', Running: true, Paused: false },
  Config: { Tty: false, Labels: labels, ...more },
})

/** What each kind of call is asked with here, and how its daemon leaves it open for ever. */
const open: Record<string, { params: object; hang: string; hijacks?: true; writes?: true }> = {
  'read-logs': { params: { follow: false, stdout: true, stderr: true }, hang: `GET /containers/${someId}/logs` },
  'watch-stats': { params: { live: true }, hang: `GET /containers/${someId}/stats` },
  'wait-container': { params: { condition: 'not-running' }, hang: `POST /containers/${someId}/wait` },
  'exec-container': {
    params: { cmd: ['sh'], tty: false, stdin: true },
    hang: `POST /exec/${someId}/start`,
    hijacks: true,
    writes: true,
  },
  'attach-container': {
    params: { stdin: true, logs: false },
    hang: `POST /containers/${someId}/attach`,
    hijacks: true,
    writes: true,
  },
  'read-archive': { params: { path: '/' }, hang: `GET /containers/${someId}/archive` },
  'write-archive': {
    params: { path: '/', noOverwriteDirNonDir: false, copyUidGid: false },
    hang: `PUT /containers/${someId}/archive`,
    writes: true,
  },
  'export-container': { params: {}, hang: `GET /containers/${someId}/export` },
}

function asked(kind: string, given: Partial<CallContext> = {}, more: object = {}) {
  const { context, daemon, state } = callContextDouble(double.dockerHost, given)
  const call = new AnsweringDouble({ kind, params: { id: someId, ...open[kind]?.params }, ...more })
  const ended = answerersFor(context).get(kind)?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, ended, daemon, state, context }
}

beforeEach(() => {
  double.json(`GET /containers/${someId}/json`, inspected())
  double.json(`POST /containers/${someId}/exec`, { Id: someId }, 201)
  for (const { hang, hijacks } of Object.values(open)) {
    if (hijacks) double.hijack(hang, (socket) => void socket.resume().on('end', () => socket.end()))
    else double.answer(hang, (response) => response.flushHeaders())
  }
})

test('there is an answer to every kind of call, and to every action that only reads', () => {
  const reads = [...actions.values()].filter(({ effect }) => effect === 'read').map(({ name }) => name)
  const known = [...answerersFor(callContextDouble(double.dockerHost).context).keys()]
  expect(known.sort()).toEqual([...callKinds.keys(), ...reads].sort())
  expect(Object.keys(open).sort()).toEqual([...callKinds.keys()].sort())
})

describe.each(Object.keys(open))('%s', (kind) => {
  const { hang, writes } = open[kind] as (typeof open)[string]
  const underWay = () => eventually(() => double.asked.some((what) => what.replace(/\?.*$/, '') === hang))

  test('closes all its connections when its caller leaves', async () => {
    const { call, ended } = asked(kind)
    await underWay()
    if (kind !== 'write-archive') await eventually(() => call.begun.length === 1)
    call.leave()
    await expect(ended).rejects.toMatchObject({ code: expect.any(String) })
    await eventually(() => double.connections === 0, undefined, { within: 6_000, what: 'all connections are closed' })
  })

  test('ends when the daemon is lost', async () => {
    const { ended, state } = asked(kind)
    await underWay()
    state.daemonLost.abort(new Error('it hangs'))
    await expect(ended).rejects.toMatchObject({ code: 'daemon_unhealthy' })
  })

  test('is not begun where the daemon is away', async () => {
    const { context, daemon } = callContextDouble(double.dockerHost)
    daemon.set(false)
    const call = new AnsweringDouble({ kind, params: { id: someId, ...open[kind]?.params } })
    await expect(answerersFor(context).get(kind)?.(call)).rejects.toMatchObject({ code: 'daemon_unhealthy' })
    expect(double.asked).toEqual([])
  })

  test('tells that the daemon is away where nobody listens', async () => {
    const { context, daemon } = callContextDouble('unix:///nowhere/docker.sock')
    const call = new AnsweringDouble({ kind, params: { id: someId, ...open[kind]?.params } })
    await expect(answerersFor(context).get(kind)?.(call)).rejects.toMatchObject({ code: 'daemon_unhealthy' })
    expect(daemon.isOpen()).toBe(false)
  })

  test(`${writes ? 'ends' : 'goes on'} when the lease is lost`, async () => {
    const { call, ended, state } = asked(kind)
    await underWay()
    state.leaseLost.abort()
    if (!writes) call.leave()
    await expect(ended).rejects.toMatchObject({ code: writes ? 'lease_lost' : 'internal' })
  })

  test(`is ${writes ? 'not begun' : 'answered'} without the lease`, async () => {
    const { context, state } = callContextDouble(double.dockerHost)
    state.leaseHeld = false
    const call = new AnsweringDouble({ kind, params: { id: someId, ...open[kind]?.params } })
    const ended = answerersFor(context)
      .get(kind)?.(call)
      .catch((error: unknown) => error)
    if (!writes) await underWay()
    if (!writes) call.leave()
    expect(await ended).toMatchObject({ code: writes ? 'lease_lost' : 'internal' })
    expect(double.asked.some((what) => what.startsWith(hang))).toBe(!writes)
  })

  test('is not for whom the dock’s policy does not let it, nor for whom the container is not', async () => {
    const { ended } = asked(kind, { policy: { maxProfile: 'privileged', actions: ['inspect-container'] } })
    await expect(ended).rejects.toMatchObject({ code: 'dock_policy' })
    await expect(asked(kind, {}, { given: { owner: 'ben' } }).ended).rejects.toMatchObject({ code: 'forbidden' })
    expect(double.asked.filter((what) => !/^GET [^?]*\/json/.test(what))).toEqual([])
  })

  test.each(['web', `${someId}/../x`, '', someId.toUpperCase()])('does not ask the daemon about %j', async (id) => {
    const { context } = callContextDouble(double.dockerHost)
    const call = new AnsweringDouble({ kind, params: { ...open[kind]?.params, id } })
    const ended = answerersFor(context).get(kind)?.(call)
    await expect(ended).rejects.toMatchObject({ code: 'invalid_request' })
    expect(double.asked).toEqual([])
  })

  test('fails with Docker’s status and words', async () => {
    if (kind === 'exec-container') double.json(`POST /containers/${someId}/exec`, { message: 'is paused' }, 409)
    else if (kind === 'attach-container') double.json(`GET /containers/${someId}/json`, { message: 'is paused' }, 409)
    else double.json(hang, { message: 'is paused' }, 409)
    const { ended } = asked(kind)
    await expect(ended).rejects.toMatchObject({ code: 'docker_error', status: 409, message: 'is paused' })
    await eventually(() => double.connections <= 1)
  })
})

describe('an action that only reads', () => {
  const read = (kind: string, params: object, given: Partial<CallContext> = {}) => {
    const call = new AnsweringDouble({ kind, params })
    return { call, ended: answerersFor(callContextDouble(double.dockerHost, given).context).get(kind)?.(call) }
  }

  test('ends with its envelope, as a job does', async () => {
    const { ended } = read('inspect-container', { id: someId })
    await expect(ended).resolves.toMatchObject({
      envelope: { dockerInstance: 'here', statusCode: 200, Response: { Body: { Id: someId } } },
    })
  })

  test('answers an empty list of changes where Docker says null', async () => {
    double.json(`GET /containers/${someId}/changes`, null)
    const { ended } = read('list-changes', { id: someId })
    await expect(ended).resolves.toMatchObject({ envelope: { Response: { Body: [] } } })
  })

  test('is asked again, once, where a connection that was kept has been closed', async () => {
    let times = 0
    double.answer(`GET /containers/${someId}/json`, (response) => {
      if (++times === 1) response.destroy()
      else response.end(JSON.stringify(inspected()))
    })
    await expect(read('inspect-container', { id: someId }).ended).resolves.toMatchObject({
      envelope: { statusCode: 200 },
    })
    double.answer(`GET /containers/${someId}/json`, (response) => void response.destroy())
    await expect(read('inspect-container', { id: someId }).ended).rejects.toMatchObject({ code: 'stream_broken' })
  })

  test('sends a large end as output', async () => {
    const body = inspected({ Env: ['x'.repeat(1_000_000)] })
    double.json(`GET /containers/${someId}/json`, body)
    const { call, ended } = read('inspect-container', { id: someId })
    await expect(ended).resolves.toBeUndefined()
    expect(JSON.parse(call.text(0))).toMatchObject({ envelope: { Response: { Body: body } } })
    expect(Math.max(...call.pieces.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(65_536)
  })

  test('is judged by the dock’s policy, its parameters, and the caller’s right', async () => {
    const policy = { maxProfile: 'privileged', actions: ['read-logs'] } as const
    await expect(read('inspect-container', { id: someId }, { policy }).ended).rejects.toMatchObject({
      code: 'dock_policy',
    })
    await expect(read('inspect-container', { id: 'web' }).ended).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(read('top-container', { id: someId, psArgs: 'e' }).ended).rejects.toMatchObject({
      code: 'invalid_request',
    })
    const call = new AnsweringDouble({ kind: 'inspect-container', params: { id: someId }, given: { owner: 'ben' } })
    const answerers = answerersFor(callContextDouble(double.dockerHost).context)
    await expect(answerers.get('inspect-container')?.(call)).rejects.toMatchObject({ code: 'forbidden' })
  })
})
