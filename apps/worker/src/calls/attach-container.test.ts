import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { useStreamsDouble } from '../testing/streams-double'
import { answerersFor } from './answerers'

const double = useStreamsDouble()

let state: object
let close: () => void

beforeEach(() => {
  state = { Status: 'running', Running: true, Paused: false }
})

function attach(tty: boolean, stdin: boolean) {
  double.answer(`GET /containers/${someId}/json`, (response) => {
    response.end(JSON.stringify({ Id: someId, State: state, Config: { Tty: tty } }))
  })
  double.hijack(`POST /containers/${someId}/attach`, (socket) => (close = () => socket.resume().end()))
  const { context } = callContextDouble(double.dockerHost)
  const call = new AnsweringDouble({ kind: 'attach-container', params: { id: someId, stdin, logs: false } })
  const listened = jest.spyOn(call, 'onTold')
  const ended = answerersFor(context).get('attach-container')?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, listened, ended }
}

test.each([
  [true, false],
  [false, true],
  [false, false],
])('sizes are heard and passed over where they are not taken (terminal: %s, input: %s)', async (tty, stdin) => {
  const { call, listened, ended } = attach(tty, stdin)
  await eventually(() => call.begun.length === 1)
  expect(listened).toHaveBeenCalledTimes(1)
  call.tell({ resize: { cols: 80, rows: 24 } })
  state = { Status: 'exited', Running: false, ExitCode: 3 }
  close()
  expect(await ended).toEqual({ exitCode: 3 })
  expect(double.asked.filter((what) => what.includes('/resize'))).toEqual([])
})

test('the end of a container that removes itself is none that fails', async () => {
  const { call, ended } = attach(false, false)
  await eventually(() => call.begun.length === 1)
  double.json(`GET /containers/${someId}/json`, { message: 'No such container' }, 404)
  close()
  expect(await ended).toEqual({ exitCode: null })
})
