import Joi from 'joi'
import { admitUpdate } from '../admission/limits'
import { nanoCpus } from '../container-spec'
import { defineAction, ok } from '../define-action'
import { bytes, newMemory } from '../memory'
import { expected } from '../messages'
import { containerId, cpus, dockerRestartPolicy, restartPolicy } from '../schemas'
import { withoutUndefined } from '../without-undefined'

interface Limits {
  memory?: number | string
  /** Memory and swap together. */
  memorySwap?: number | string
  cpus?: number
  cpuShares?: number
  pidsLimit?: number
  restart?: string
}

interface UpdateParams extends Limits {
  id: string
}

const limits = {
  memory: newMemory,
  memorySwap: newMemory
    .allow(-1)
    .messages(expected('bytes, 1 or more, a size such as 512m or 1.5g, or -1 for no limit'))
    .description('Memory and swap together: bytes, a size such as `1g`, or -1 for no limit'),
  cpus,
  cpuShares: Joi.number()
    .integer()
    .min(2)
    .max(262_144)
    .messages(expected('a whole number from 2 to 262144'))
    .description('Its weight against other containers; 1024 is usual'),
  pidsLimit: Joi.number()
    .integer()
    .min(-1)
    .max(2 ** 31)
    .messages(expected('a whole number of processes, or -1 for no limit'))
    .description('How many processes at the most; -1 for no limit'),
  restart: restartPolicy,
} satisfies Joi.PartialSchemaMap<Limits>

export const updateContainer = defineAction({
  name: 'update-container',
  summary: 'Change the limits and the restart policy of a container',
  target: 'container',
  effect: 'change',
  http: 'POST /v1/containers/:id/update',
  params: Joi.object<UpdateParams>({ id: containerId.required(), ...limits }).or(...Object.keys(limits)),
  idempotent: true,
  timeoutMs: 30_000,
  admit: ({ id: _id, ...changed }, rules) => void admitUpdate(dockerLimits(changed), rules),
  async run({ id, ...changed }, { docker, signal, rules }) {
    const limits = admitUpdate(dockerLimits(changed), rules)
    return ok(await docker.getContainer(id).update({ ...limits, abortSignal: signal }))
  },
})

function dockerLimits({ memory, memorySwap, cpus, cpuShares, pidsLimit, restart }: Limits): object {
  return withoutUndefined({
    Memory: memory === undefined ? undefined : bytes(memory),
    MemorySwap: memorySwap === undefined ? undefined : bytes(memorySwap),
    NanoCpus: cpus === undefined ? undefined : nanoCpus(cpus),
    CpuShares: cpuShares,
    PidsLimit: pidsLimit,
    RestartPolicy: restart === undefined ? undefined : dockerRestartPolicy(restart),
  })
}
