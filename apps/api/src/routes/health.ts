import type { Fleet } from '@deblox/fleet/fleet'
import { checkFitness } from '@deblox/fleet/fitness'
import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'
import type { Route } from '../route'

/** For whatever keeps the process running and sends it traffic. */
export function healthRoutes({ redis }: Fleet, auth: 'on' | 'off'): Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      tag: 'health',
      summary: 'Whether the process is alive',
      request: Joi.object({}),
      answers: { 200: 'Alive' },
      handle: async () => ({ status: 200, body: { status: 'alive' } }),
    },
    {
      method: 'GET',
      path: '/readyz',
      tag: 'health',
      summary: 'Whether Redis can be reached and keeps what it is given',
      request: Joi.object({}),
      answers: { 200: 'Ready; `warnings` are risks that the operator has taken' },
      async handle() {
        const { refusals, warnings } = await readFitness(redis)
        if (refusals.length > 0) throw new DebloxError('redis_unavailable', refusals.join('; '))
        return {
          status: 200,
          body: { status: 'ready', warnings: [...warnings, ...(auth === 'off' ? [authIsOff] : [])] },
        }
      },
    },
  ]
}

const authIsOff = 'AUTH is off: whoever reaches this address is an admin'

async function readFitness(redis: Fleet['redis']) {
  try {
    return await checkFitness(redis)
  } catch (error) {
    throw new DebloxError('redis_unavailable', `expected Redis to answer, got: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
