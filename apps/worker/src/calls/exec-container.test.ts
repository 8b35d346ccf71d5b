import { text } from 'node:stream/consumers'
import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { useStreamsDouble } from '../testing/streams-double'
import { answerersFor } from './answerers'

const double = useStreamsDouble()

let created: Record<string, unknown>

beforeEach(() => {
  double.answer(`POST /containers/${someId}/exec`, (response, request) => {
    void text(request).then((body) => {
      created = JSON.parse(body) as typeof created
      response.writeHead(201).end(JSON.stringify({ Id: someId }))
    })
  })
  double.hijack(`POST /exec/${someId}/start`, (socket) => void socket.resume().end('done\r\n'))
  double.json(`GET /exec/${someId}/json`, { Running: false, ExitCode: 3 })
})

function exec(more: object) {
  const { context } = callContextDouble(double.dockerHost)
  const call = new AnsweringDouble({ kind: 'exec-container', params: { id: someId, cmd: ['true'], ...more } })
  const ended = answerersFor(context).get('exec-container')?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, ended }
}

test('a command that ends before its terminal has its size is not held up', async () => {
  double.answer(`POST /exec/${someId}/resize`, () => undefined)
  const { call, ended } = exec({ tty: true, stdin: true, size: { cols: 80, rows: 24 } })
  await eventually(() => call.text(0) === 'done\r\n', undefined, { within: 1_000 })
  expect(await ended).toEqual({ exitCode: 3 })
  expect(double.asked).toContain(`POST /exec/${someId}/resize?w=80&h=24`)
})

test('a command whose caller leaves before it has begun is hung up when it begins', async () => {
  double.hang(`POST /exec/${someId}/start`)
  double.json(`GET /exec/${someId}/json`, { Running: false, ExitCode: null })
  const { call, ended } = exec({ tty: false, stdin: false })
  await eventually(() => double.asked.includes(`POST /exec/${someId}/start`))
  call.leave()
  await expect(ended).rejects.toThrow('the caller has left')
  await eventually(() => double.asked.includes(`GET /exec/${someId}/json`))
  expect(created).toMatchObject({ Cmd: ['true'] })
  double.json(`GET /exec/${someId}/json`, { Running: true, ExitCode: null })
  await eventually(() => (created['Cmd'] as string[])[0] === 'sh', undefined, { within: 10_000 })
  expect(created['Cmd']).toEqual([
    'sh',
    '-c',
    expect.stringContaining('kill -HUP'),
    'sh',
    expect.stringMatching(/^DEBLOX_EXEC=/),
  ])
})

test('an engine that can is told the size of a terminal before the command begins', async () => {
  double.answer(`POST /exec/${someId}/resize`, (response) => response.end())
  await exec({ tty: true, stdin: false, size: { cols: 80, rows: 24 } }).ended
  expect(created).toMatchObject({ Tty: true, ConsoleSize: [24, 80] })
  await exec({ tty: true, stdin: false }).ended
  expect(created).not.toHaveProperty('ConsoleSize')
})

test('sizes are heard and passed over where there is no terminal', async () => {
  double.hijack(`POST /exec/${someId}/start`, () => undefined)
  const { call, ended } = exec({ tty: false, stdin: false })
  const listened = jest.spyOn(call, 'onTold')
  await eventually(() => call.begun.length === 1)
  expect(listened).toHaveBeenCalledTimes(1)
  call.tell({ resize: { cols: 80, rows: 24 } })
  call.leave()
  await expect(ended).rejects.toThrow('the caller has left')
  expect(double.asked.filter((what) => what.includes('/resize'))).toEqual([])
})
