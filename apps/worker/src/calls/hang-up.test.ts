import { text } from 'node:stream/consumers'
import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { callContextDouble } from '../testing/call-context-double'
import { frame, useStreamsDouble } from '../testing/streams-double'

const double = useStreamsDouble()
const command = 'c'.repeat(64)
const script = 'd'.repeat(64)

/** How the script ends that looks for the command, one time after the other; as the last one from then on. */
let ends: (number | null)[]
/** What Docker was told of each exec that was made and started. */
let told: Record<string, unknown>[]
let running: boolean

beforeEach(() => {
  ends = [0]
  told = []
  running = true
  double.answer(`GET /exec/${command}/json`, (response) => {
    response.end(JSON.stringify({ Running: running, ExitCode: running ? null : 0 }))
  })
  double.answer(`POST /containers/${someId}/exec`, (response, request) => {
    void text(request).then((body) => {
      told.push(JSON.parse(body) as (typeof told)[0])
      response.writeHead(201).end(JSON.stringify({ Id: script }))
    })
  })
  double.answer(`POST /exec/${script}/start`, (response, request) => {
    void text(request).then((body) => {
      told.push(JSON.parse(body) as (typeof told)[0])
      response.end(frame(1, ''))
    })
  })
  double.answer(`GET /exec/${script}/json`, (response) => {
    response.end(JSON.stringify({ Running: false, ExitCode: ends.length > 1 ? ends.shift() : ends[0] }))
  })
})

function hangingUp(within = 60_000): Promise<void> {
  const { context } = callContextDouble(double.dockerHost)
  const { hangUps, docker } = context
  hangUps.begin({ exec: docker.getExec(command), container: someId, mark: 'x', user: '7' }, context)
  return hangUps.close(within)
}

const scripts = () => double.asked.filter((what) => what === `POST /exec/${script}/start`).length

test('a command that is still being started is looked for until it is found', async () => {
  ends = [1, 1, 0]
  await hangingUp()
  expect(scripts()).toBe(3)
  expect(told.slice(-2)).toEqual([
    {
      Cmd: ['sh', '-c', expect.stringContaining('kill -HUP'), 'sh', 'DEBLOX_EXEC=x'],
      User: '7',
      AttachStdout: true,
      AttachStderr: false,
    },
    { Detach: false, Tty: false },
  ])
})

test('a command that was told is told once, whatever it makes of that', async () => {
  await hangingUp()
  expect(scripts()).toBe(1)
})

test('a command that ends before it is found is not looked for any more', async () => {
  ends = [1]
  const ended = hangingUp()
  await eventually(() => scripts() === 2)
  running = false
  await ended
  expect(scripts()).toBeLessThanOrEqual(3)
  expect(double.asked.at(-1)).toBe(`GET /exec/${command}/json`)
})

test.each([126, 127])(
  'in a container without a shell, whose script ends with %i, nothing is tried again',
  async (code) => {
    ends = [code]
    await hangingUp()
    expect(scripts()).toBe(1)
  },
)

test('in a container that is gone nothing is tried', async () => {
  double.json(`GET /exec/${command}/json`, { message: 'No such exec instance' }, 404)
  await hangingUp()
  expect(scripts()).toBe(0)
})

test('a worker that stops waits for those who are told soon, and for no other', async () => {
  await hangingUp(10_000)
  expect(scripts()).toBe(1)
  ends = [1]
  await hangingUp(10)
  const { length } = double.asked
  await Promise.all(
    [1, 2, 3].map(() =>
      callContextDouble(double.dockerHost)
        .context.docker.ping()
        .catch(() => undefined),
    ),
  )
  expect(double.asked.slice(length).filter((what) => !what.endsWith('/_ping'))).toEqual([])
})
