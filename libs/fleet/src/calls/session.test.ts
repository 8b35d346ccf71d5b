import { randomBytes } from 'node:crypto'
import type { RedisClient } from '../redis'
import type { Values } from './frames'
import { Line } from './line'
import { Outbox } from './outbox'
import { type Member, Session } from './session'

test('a beat that could not be sent does not end, when Redis is back, what was opened meanwhile', async () => {
  let isAway = true
  const came: Values[] = []
  const redis = {
    async xadd(_stream: string, ...told: unknown[]) {
      if (isAway) throw new Error('Connection is closed.')
      came.push(told.filter((one): one is Buffer => Buffer.isBuffer(one)))
      return '1-0'
    },
  } as unknown as RedisClient
  const [id, secret] = [randomBytes(16), randomBytes(32)]
  const outbox = new Outbox(redis, () => (isAway = false))
  const ends = { id, secret, outbox }
  const api = new Session({ ...ends, end: 'api', stream: 'calls' })
  const dock = new Session({ ...ends, end: 'dock', stream: 'frames' })
  const failed: Error[] = []
  const member = (session: Session, call: Buffer): Member => {
    const line = new Line({ ...session.options, id: call, onLost: () => {}, onClosed: () => {} })
    return { line, fail: (error) => failed.push(error) }
  }
  const begin = (call: Buffer) => {
    api.add(member(api, call))
    dock.add(member(dock, call))
  }
  begin(randomBytes(16))
  api.beat()
  // It is sealed, and on its way.
  await Promise.resolve()
  begin(randomBytes(16))
  await outbox.settled()
  api.beat()
  await outbox.settled()
  for (const frame of came) dock.told(frame)
  expect(failed).toEqual([])
  expect(came).toHaveLength(1)
})
