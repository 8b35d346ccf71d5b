import { ownersOf } from '@deblox/actions/access/identity'
import { rulesSchema } from '@deblox/actions/admission/rules'
import { owner as ownerSchema } from '@deblox/actions/schemas'
import type { Allowance, Allowances } from '@deblox/fleet/allowances'
import type { FleetIndex } from '@deblox/fleet/index'
import Joi from 'joi'
import { forbidden } from '../access'
import type { Route } from '../route'

const count = Joi.number().integer().min(0).max(1_000_000)
const owner = ownerSchema.required().description('A subject, or `team:NAME`')

const fields = {
  rules: rulesSchema.required().description('What his containers may ask for'),
  onDocks: Joi.array()
    .items(
      Joi.object({
        docks: Joi.array().items(Joi.string().max(253)).min(1).max(100).required(),
        rules: rulesSchema.required(),
      }),
    )
    .max(100)
    .description('Other rules on some docks: names, or `*.example.org`; the first that fits holds'),
  quota: Joi.object({
    containers: count.description('Containers in the whole fleet'),
    memory: Joi.number().integer().min(0).description('Bytes, of all his containers’ limits together'),
    cpus: Joi.number().min(0).description('CPUs, of all his containers’ limits together'),
    jobs: count.description('Jobs that have not ended'),
  }).description('How much he may have; without bound what is not named'),
}

/** What owners may ask for, and how much they may have. */
export function ownerRoutes(allowances: Allowances, index: Pick<FleetIndex, 'countOf'>): Route[] {
  const shown = async (name: string) => ({
    owner: name,
    ...(await allowances.of(name)),
    containers: await index.countOf(name),
  })
  return [
    {
      method: 'GET',
      path: '/v1/owners/:owner',
      tag: 'owners',
      summary: 'Show what an owner may ask for, and how many containers he has',
      request: Joi.object({ owner }),
      answers: { 200: 'The allowance' },
      async handle({ owner: name }, { identity, about }) {
        about.object = name as string
        // Of others he learns nothing, not even whether they exist.
        const isHis = identity.role === 'admin' || ownersOf(identity).includes(name as string)
        if (!isHis) throw forbidden(identity, 'GET /v1/owners/:owner')
        return { status: 200, body: await shown(name as string) }
      },
    },
    {
      method: 'PUT',
      path: '/v1/owners/:owner',
      tag: 'owners',
      summary: 'Set what an owner may ask for, and how much he may have',
      request: Joi.object({ owner, ...fields }),
      answers: { 200: 'The allowance as it is now' },
      async handle({ owner: name, ...allowance }, { about }) {
        about.object = name as string
        await allowances.set(name as string, allowance as unknown as Allowance)
        return { status: 200, body: await shown(name as string) }
      },
    },
  ]
}
