import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { profile, ruleFields, type Rules, stricter } from '@deblox/actions/admission/rules'
import { callKinds } from '@deblox/actions/calls/kinds'
import type { Action } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { explain, sentence } from '@deblox/actions/explain'
import { bytes, newMemory } from '@deblox/actions/memory'
import { expected, plainMessages } from '@deblox/actions/messages'
import { actions } from '@deblox/actions/registry'
import { StartError } from '@deblox/fleet/start-error'
import Joi from 'joi'

/** What the owner of a machine lets anybody do on it, whoever the fleet says that he is. */
export interface DockPolicy {
  /** The most that a container may ask for here. */
  maxProfile: Rules['profile']
  registries?: readonly string[]
  /** The names of the only actions that run here, and of the only other calls that are answered. */
  actions?: readonly string[]
  /** The most memory of one container, in bytes. */
  memory?: number
  /** The most CPUs of one container. */
  cpus?: number
}

export const usualPolicyPath = '/etc/deblox/policy.json'

/** Without a word of the machine's owner: all that cannot reach the machine itself. */
export const policyWithoutFile: DockPolicy = { maxProfile: 'baseline' }

const schema = Joi.object({
  maxProfile: profile.required(),
  registries: ruleFields.registries,
  actions: Joi.array()
    .items(
      Joi.string()
        .valid(...actions.keys(), ...callKinds.keys())
        .messages(expected('the name of an action such as start-container, or of a call such as read-logs')),
    )
    .messages({ 'array.base': 'expected a list of names of actions' }),
  memory: newMemory,
  cpus: ruleFields.cpus,
})

/** More than any policy needs. */
const maxSize = 64 * 1024

/**
 * The dock's policy from its file; where none is named and none is at the usual place, the policy for that.
 * Throws `StartError` where a file is named and missing, where somebody other than root could write it, and where it is
 * not what it should be: a worker that guessed would let in what was meant to stay out.
 */
export async function readDockPolicy(path?: string): Promise<DockPolicy> {
  const place = path ?? usualPolicyPath
  let text: string
  try {
    text = await readAsRoots(place)
  } catch (error) {
    if (error instanceof StartError) throw error
    if (path === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return policyWithoutFile
    throw odd(place, "the dock's policy", (error as Error).message)
  }
  return parse(place, text)
}

/** Rules as they hold on a dock with this policy. */
export function capBy({ maxProfile, actions: _actions, ...ceilings }: DockPolicy): (rules: Rules) => Rules {
  const cap: Rules = { profile: maxProfile, ...ceilings }
  return (rules) => {
    const capped = stricter(rules, cap)
    return same(capped, rules) ? rules : { ...capped, capped: true }
  }
}

/** What a policy can forbid: an action, or another call to a container. */
export type Forbiddable = Pick<Action, 'name' | 'target' | 'creates'>

/**
 * Throws `dock_policy` where an action may not run on this dock at all, or a call may not be answered. What is the fleet's
 * business alone, `register` and `unregister`, is no dock's to forbid.
 */
export function requireAllowed({ actions: allowed }: DockPolicy, action: Forbiddable, hostname: string): void {
  const { name, target, creates } = action
  if (allowed === undefined || allowed.includes(name) || (target === 'cluster' && !creates)) return
  throw new DebloxError(
    'dock_policy',
    `action: expected one that the policy of ${hostname} allows (${allowed.join(', ')}), got ${name}`,
    { details: { field: 'action' } },
  )
}

const same = (one: Rules, other: Rules): boolean =>
  one.profile === other.profile &&
  one.memory === other.memory &&
  one.cpus === other.cpus &&
  String(one.registries) === String(other.registries)

/** The text of a file that nobody but root can have written or put there. */
async function readAsRoots(path: string): Promise<string> {
  // Not what is looked at, but what has been opened, is read.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'ELOOP' ? odd(path, 'a file and no symbolic link', 'one') : error
    },
  )
  try {
    if ((await realpath(path)) !== path) throw odd(path, 'a path without symbolic links and dots', 'another')
    await requireRoots(path, file)
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      await requireRootsFolder(folder)
      if (folder === dirname(folder)) break
    }
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

const writableByOthers = 0o022
const sticky = 0o1000

async function requireRoots(path: string, file: FileHandle): Promise<void> {
  const { uid, mode, size } = await file.stat()
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw odd(path, 'a file', 'something else')
  if (uid !== 0) throw odd(path, 'a file that belongs to root', `one of user ${uid}`)
  if (mode & writableByOthers) throw odd(path, 'a file that only root can write', `mode ${octal(mode)}`)
  if (size > maxSize) throw odd(path, `a file of at most ${maxSize} bytes`, `${size}`)
}

/** Whoever can write a folder can put another file in the place of this one. */
async function requireRootsFolder(path: string): Promise<void> {
  const { uid, mode } = await lstat(path)
  if (uid !== 0) throw odd(path, "a folder that belongs to root, as the dock's policy is in it", `one of user ${uid}`)
  if (mode & writableByOthers && !(mode & sticky)) {
    throw odd(path, "a folder that only root can write, as the dock's policy is in it", `mode ${octal(mode)}`)
  }
}

const octal = (mode: number): string => `0${(mode & 0o7777).toString(8)}`

const odd = (path: string, wanted: string, got: string): StartError =>
  new StartError(`DEBLOX_DOCK_POLICY: expected ${wanted}, got ${got} (${path})`)

function parse(path: string, text: string): DockPolicy {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw odd(path, 'a JSON object', (error as Error).message)
  }
  const result = schema.required().validate(value, {
    convert: false,
    messages: plainMessages,
    errors: { wrap: { array: false, label: false } },
  })
  if (result.error)
    throw new StartError(`DEBLOX_DOCK_POLICY: ${sentence(explain(result.error, schema, 'policy'))} (${path})`)
  const { memory, ...policy } = result.value as DockPolicy & { memory?: number | string }
  return memory === undefined ? policy : { ...policy, memory: bytes(memory) }
}
