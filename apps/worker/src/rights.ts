import { type Given, type Held, holds } from '@deblox/actions/access/decide'
import { textsOf } from '@deblox/actions/container-row'
import { dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import type { RunContext } from './run-context'

type Context = Pick<RunContext, 'docker' | 'hostname' | 'owners' | 'labelsOf'>

/**
 * Looks whether what the API allowed an action on is so beside the daemon: the API goes by the index, which others may have
 * written to. Throws `forbidden`, or what the daemon answers where it must be asked.
 */
export async function requireGiven(given: Given | undefined, id: string, context: Context, signal: AbortSignal) {
  if (given === undefined || Object.keys(given).length === 0) return
  const { hostname: dock, owners } = context
  const labels = context.labelsOf(id) ?? (await readLabels(id, context, signal))
  // One that is gone is nobody's any more: the action says what that means for it.
  if (labels === undefined) return
  const held: Held = { id, dock, owner: owners.ownerOf(id, labels), labels }
  if (!holds(given, held)) throw notAsGiven(given, held)
}

async function readLabels(id: string, { docker }: Context, signal: AbortSignal) {
  try {
    const { Config } = await docker.getContainer(id).inspect({ abortSignal: signal })
    return textsOf(Config.Labels)
  } catch (error) {
    if (dockerStatus(error) === 404) return undefined
    throw error
  }
}

function notAsGiven({ owner, labels }: Given, held: Held): DebloxError {
  const told = [
    ...(owner === undefined ? [] : [`to belong to ${owner}`]),
    ...(labels === undefined ? [] : [`to carry ${JSON.stringify(labels)}`]),
  ]
  return new DebloxError(
    'forbidden',
    `id: expected the container ${told.join(' and ')}, got one that does not, by what its dock ${held.dock} knows; nothing was done`,
  )
}
