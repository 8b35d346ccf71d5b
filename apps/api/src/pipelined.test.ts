import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { eventually } from '../../../test/support/eventually'
import { httpServer } from './http-server'

/** What a server is asked on one connection, and how often each of the answers has closed. */
async function asked(times: number) {
  const answers: ServerResponse[] = []
  const closed: number[] = []
  const server = httpServer((_request, response) => {
    const place = answers.push(response) - 1
    closed[place] = 0
    response.on('close', () => closed[place]!++)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(times))
  await eventually(() => answers.length === times)
  const end = async () => {
    socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return { answers, closed, socket, end }
}

test('each answer closes once when its caller leaves, those that wait for their turn too', async () => {
  const { answers, closed, end } = await asked(20)
  await end()
  await eventually(() => expect(closed).toEqual(Array(20).fill(1)))
  expect(answers.every(({ destroyed }) => destroyed)).toBe(true)
})

test('one that was ready before its turn closes as well', async () => {
  const { answers, closed, end } = await asked(3)
  answers[2]?.end('ready')
  await end()
  await eventually(() => expect(closed).toEqual([1, 1, 1]))
})

test('one whose turn had come closes once, too', async () => {
  const { answers, closed, end } = await asked(3)
  answers[0]?.end()
  await eventually(() => answers[1]?.socket !== null)
  await end()
  await eventually(() => expect(closed).toEqual([1, 1, 1]))
})

test('one that has been given closed then, and does so once', async () => {
  const { answers, closed, socket, end } = await asked(3)
  for (const answer of answers) answer.end('all of it')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  await eventually(() => text.match(/all of it/g)?.length === 3)
  await eventually(() => expect(closed).toEqual([1, 1, 1]))
  await end()
  expect(closed).toEqual([1, 1, 1])
})
