import Joi from 'joi'
import { expected } from '../messages'

/** How much a container may ask for, from the least to the most. */
export const profiles = ['restricted', 'baseline', 'privileged'] as const

export type Profile = (typeof profiles)[number]

/** What the containers of one caller, or on one dock, may ask for. */
export interface Rules {
  profile: Profile
  /** Where images may come from: a registry, or a path in one, such as `docker.io/library`. Without it from anywhere. */
  registries?: readonly string[]
  /** The most memory that a container may have, in bytes; one that asks for none gets so much. */
  memory?: number
  /** The most CPUs that a container may have; one that asks for none gets so many. */
  cpus?: number
  /** The dock's own policy made them stricter than they came: it is the one that refuses. */
  capped?: true
}

const registry = Joi.string()
  .max(512)
  .pattern(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[a-z0-9](?:[a-z0-9._/-]*[a-z0-9])?)?$/)
  .messages(expected('a registry such as docker.io, or a path in one such as docker.io/library'))

/** The fields of rules as they are written down: in a token, a job, a policy file. */
export const ruleFields = {
  registries: Joi.array().items(registry).max(1000).messages(expected('a list of at most 1000 registries')),
  memory: Joi.number()
    .integer()
    .min(6 * 2 ** 20)
    .max(Number.MAX_SAFE_INTEGER)
    .messages(expected('a number of bytes of at least 6291456, the least that Docker takes')),
  cpus: Joi.number().min(0.01).max(10_000).messages(expected('a number of CPUs from 0.01 to 10000')),
} satisfies Joi.PartialSchemaMap<Rules>

export const profile = Joi.string()
  .valid(...profiles)
  .messages(expected('restricted, baseline or privileged'))

/** A closed schema of rules. */
export const rulesSchema = Joi.object<Rules>({ profile: profile.required(), ...ruleFields })

/** Whether these rules give at least so much. */
export const gives = (rules: Rules, least: Profile): boolean => rank(rules.profile) >= rank(least)

const rank = (name: Profile): number => profiles.indexOf(name)

/** The rules that allow what both of these allow, and nothing else. */
export function stricter(one: Rules, other: Rules): Rules {
  const registries = common(one.registries, other.registries)
  const memory = least(one.memory, other.memory)
  const cpus = least(one.cpus, other.cpus)
  return {
    profile: gives(one, other.profile) ? other.profile : one.profile,
    ...(registries && { registries }),
    ...(memory !== undefined && { memory }),
    ...(cpus !== undefined && { cpus }),
    ...((one.capped || other.capped) && { capped: true }),
  }
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}

function common(one?: readonly string[], other?: readonly string[]): readonly string[] | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const inBoth = (these: readonly string[], those: readonly string[]) =>
    these.filter((entry) => those.some((wider) => covers(wider, entry)))
  return [...new Set([...inBoth(one, other), ...inBoth(other, one)])]
}

/** Whether a path in a registry is this one or lies below it: `docker.io` covers `docker.io/library/ubuntu`. */
export const covers = (wider: string, path: string): boolean => path === wider || path.startsWith(`${wider}/`)
