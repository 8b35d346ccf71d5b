import { createHash, randomBytes } from 'node:crypto'
import { clusterTopic, dockTopic, fleetKeys, type FleetKeys, topicKeys } from './names'

/** Who needs which keys. `own`: a dock those of its host name. `shared`: all docks, because a job may come to any of them. */
type Need = 'api' | 'own' | 'shared' | 'append' | 'read'

/**
 * Every key of the fleet must be in it, or this does not compile: one that is forgotten would not work for docks, one that is
 * given to all would be open to each of them.
 */
const needs = {
  docks: 'shared',
  dock: 'own',
  lease: 'own',
  identity: 'own',
  registrations: 'shared',
  removed: 'shared',
  epoch: 'shared',
  ready: 'shared',
  handovers: 'append',
  containers: 'own',
  images: 'own',
  volumes: 'own',
  networks: 'own',
  changes: 'append',
  ids: 'shared',
  names: 'shared',
  owned: 'shared',
  job: 'shared',
  jobEvents: 'shared',
  jobs: 'shared',
  finished: 'shared',
  deadlines: 'shared',
  rollbacks: 'shared',
  result: 'shared',
  cancels: 'own',
  janitor: 'api',
  idempotency: 'api',
  inflight: 'shared',
  placement: 'shared',
  replies: 'shared',
  calls: 'own',
  frames: 'append',
  templates: 'api',
  deals: 'api',
  grants: 'api',
  allowances: 'api',
  reserved: 'api',
  audit: 'api',
  auditCheckpoint: 'api',
  auditIntake: 'append',
  apiKeys: 'read',
  sealPin: 'api',
  rates: 'api',
  tokens: 'api',
  tokenUses: 'api',
  firstToken: 'api',
  session: 'api',
  failedLogins: 'api',
} satisfies Record<keyof FleetKeys, Need>

/** What BullMQ and Deblox use; nothing by which one learns of others' keys, settings or connections. */
const commands = [
  '-@all +@read +@write +@connection +@scripting +@transaction +@blocking +time',
  '-@dangerous +info',
  '-scan -randomkey -dbsize -swapdb -dump -object -move -copy -select',
  '-function -fcall -fcall_ro -script|flush -script|kill',
].flatMap((line) => line.split(' '))

/** On a Redis Cluster a client asks which node has what. */
const clusterCommands = ['+cluster|slots', '+cluster|shards', '+cluster|nodes', '+cluster|info', '+readonly']

/** The most that a key's pattern may leave open is a whole part of it, behind its family's name. */
const anything = '*'

export interface AclUser {
  name: string
  /** As in a line of Redis's ACL file, without the password. */
  rules: string[]
}

export interface AclOptions {
  prefix: string
  /** The docks' host names. */
  docks: readonly string[]
  /** The fleet is on a Redis Cluster. */
  cluster?: boolean
}

/** The user for all API replicas and one for each dock, for Redis 7. Throws a RangeError for what is no host name. */
export function aclUsers({ prefix, docks, cluster = false }: AclOptions): AclUser[] {
  const common = ['on', 'resetchannels', ...commands, ...(cluster ? clusterCommands : [])]
  const api = { name: userOf(prefix), rules: [...common, `~${prefix}:*`] }
  return [api, ...docks.map((dock) => ({ name: userOf(prefix, dock), rules: [...common, ...dockRules(prefix, dock)] }))]
}

/** The name of the API's user, or of a dock's. */
export const userOf = (prefix: string, dock?: string): string =>
  dock === undefined ? `${prefix}-api` : `${prefix}-dock-${dock}`

/** A password of 256 bits, for a URL as it is. */
export const newPassword = (): string => randomBytes(32).toString('base64url')

/** One line for Redis's ACL file: it has the password's digest, not the password. */
export const aclLine = ({ name, rules }: AclUser, password: string): string =>
  `user ${name} #${createHash('sha256').update(password).digest('hex')} ${rules.join(' ')}`

function dockRules(prefix: string, dock: string): string[] {
  if (!/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/.test(dock)) {
    throw new RangeError(`dock: expected a host name, got ${JSON.stringify(dock)}`)
  }
  const keys = fleetKeys(prefix)
  const patterns = namesOf('shared').map((name) => patternOf(keys, name))
  return [
    ...[topicKeys(prefix, clusterTopic), topicKeys(prefix, dockTopic(dock)), ...patterns].map((key) => `~${key}`),
    ...namesOf('own').map((name) => `~${patternOf(keys, name, dock)}`),
    ...namesOf('read').map((name) => `%R~${patternOf(keys, name)}`),
    ...namesOf('append').map((name) => `(%W~${patternOf(keys, name)} +xadd +sadd)`),
    // Whether another dock lives, not what its lease says: a slot that it was given is left to it as long as it does.
    `(%R~${keys.lease(anything)} +exists +pttl)`,
  ]
}

const namesOf = (need: Need): (keyof FleetKeys)[] =>
  (Object.keys(needs) as (keyof FleetKeys)[]).filter((name) => needs[name] === need)

function patternOf(keys: FleetKeys, name: keyof FleetKeys, dock: string = anything): string {
  const key: unknown = keys[name]
  if (typeof key === 'string') return key
  const whole = (key as (...parts: string[]) => string)(dock, anything)
  // What is behind two of them is the same as what is behind the first.
  return whole.replace(/(:\*)+$/, ':*')
}
