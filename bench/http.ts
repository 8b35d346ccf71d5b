import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'

// As dockerode does, and every client in earnest: a connection is used again.
const agent = new Agent({ keepAlive: true })

/** Sends one request and returns the reply's body. Throws where the status is 300 or above. */
export async function call(url: string, method: string, body?: object): Promise<unknown> {
  const sent = body === undefined ? undefined : JSON.stringify(body)
  const headers = sent === undefined ? {} : { 'content-type': 'application/json', 'content-length': sent.length }
  const outgoing = request(url, { method, agent, headers })
  outgoing.end(sent)
  const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
  const text = await readText(reply)
  const status = reply.statusCode ?? 0
  if (status >= 300 || status === 202) throw new Error(`${method} ${url}: expected it done, got ${status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function readText(reply: IncomingMessage): Promise<string> {
  let text = ''
  reply.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await once(reply, 'end')
  return text
}
