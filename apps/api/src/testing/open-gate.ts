import type { Gate } from '../gate'

/** A double: lets everybody in as an admin, without looking at what he sends. */
export const openGate: Gate = {
  know: async () => ({ identity: { subject: 'anonymous', teams: [], role: 'admin' }, via: 'off' }),
  addressOf: () => '127.0.0.1',
  requestIdOf: () => 'request-1',
}
