import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Action } from '@deblox/actions/define-action'
import { actions } from '@deblox/actions/registry'
import { StartError } from '@deblox/fleet/start-error'
import { capBy, type DockPolicy, policyWithoutFile, readDockPolicy, requireAllowed } from './dock-policy'

let folder: string
let file: string

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'deblox-policy-')))
  file = join(folder, 'policy.json')
})

afterEach(() => rm(folder, { recursive: true }))

/** What reading it throws: one line that names the variable and the file. */
async function complaint(path = file): Promise<string> {
  const error: unknown = await readDockPolicy(path).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StartError)
  const { message } = error as StartError
  expect(message).toMatch(/^DEBLOX_DOCK_POLICY: [^\n]+ \(\/[^\n]+\)$/)
  return message
}

test('is read from its file', async () => {
  const policy = {
    maxProfile: 'restricted',
    registries: ['docker.io/library'],
    actions: ['start-container', 'read-logs', 'exec-container'],
    memory: '2g',
    cpus: 4,
  }
  await writeFile(file, JSON.stringify(policy), { mode: 0o644 })
  await expect(readDockPolicy(file)).resolves.toEqual({ ...policy, memory: 2 ** 31 })
})

test('is the usual one where there is no file, and only where none was named', async () => {
  // On the machines that run this test nobody has written one.
  await expect(readDockPolicy()).resolves.toEqual(policyWithoutFile)
  expect(policyWithoutFile.maxProfile).toBe('baseline')
  expect(await complaint()).toMatch(/expected the dock's policy, got ENOENT/)
})

test.each([
  ['', /expected a JSON object/],
  ['{', /expected a JSON object/],
  ['[]', /policy: expected an object; got a list/],
  ['{}', /maxProfile: expected restricted, baseline or privileged; got nothing/],
  ['{"maxProfile": "root"}', /maxProfile: expected restricted, baseline or privileged; got "root"/],
  ['{"maxProfile": "baseline", "maxprofile": "privileged"}', /maxprofile: expected one of the fields maxProfile, /],
  ['{"maxProfile": "baseline", "actions": ["start"]}', /actions\[0\]: expected the name of an action/],
  ['{"maxProfile": "baseline", "registries": "docker.io"}', /registries: expected a list/],
  ['{"maxProfile": "baseline", "memory": "lots"}', /memory: expected bytes/],
  ['{"maxProfile": "baseline", "cpus": "2"}', /cpus: expected a number of CPUs/],
])('holding %s stops the worker', async (text, why) => {
  await writeFile(file, text)
  expect(await complaint()).toMatch(why)
})

describe('that somebody but root could have written stops the worker', () => {
  beforeEach(() => writeFile(file, '{"maxProfile": "privileged"}'))

  test.each([0o664, 0o646, 0o666, 0o777])('by its mode %o', async (mode) => {
    await chmod(file, mode)
    expect(await complaint()).toMatch(/expected a file that only root can write, got mode 0\d+/)
  })

  test('by its owner, also where that is a user of the worker’s own', async () => {
    await chown(file, 1000, 0)
    expect(await complaint()).toMatch(/expected a file that belongs to root, got one of user 1000/)
  })

  test('by its folder', async () => {
    await chmod(folder, 0o777)
    expect(await complaint()).toMatch(/expected a folder that only root can write/)
    await chmod(folder, 0o755)
    await chown(folder, 1000, 0)
    expect(await complaint()).toMatch(/expected a folder that belongs to root/)
  })

  test('by a folder above that', async () => {
    const below = join(folder, 'below')
    await mkdir(below)
    await writeFile(join(below, 'policy.json'), '{"maxProfile": "baseline"}')
    await chmod(folder, 0o777)
    expect(await complaint(join(below, 'policy.json'))).toMatch(/expected a folder that only root can write/)
  })

  test('by a link', async () => {
    await symlink(file, join(folder, 'link.json'))
    expect(await complaint(join(folder, 'link.json'))).toMatch(/no symbolic link/)
    await symlink(folder, join(folder, 'round'))
    expect(await complaint(join(folder, 'round', 'policy.json'))).toMatch(/expected a path without symbolic links/)
  })

  test('being no file', async () => {
    expect(await complaint(folder)).toMatch(/expected a file, got something else/)
  })

  test('being too large', async () => {
    await writeFile(file, ' '.repeat(2 ** 17))
    expect(await complaint()).toMatch(/expected a file of at most 65536 bytes/)
  })
})

describe('a cap', () => {
  const policy: DockPolicy = { maxProfile: 'baseline', registries: ['docker.io'], memory: 2 ** 30, cpus: 2 }

  test('makes rules as strict as the dock’s, and says that the dock did', () => {
    expect(capBy(policy)({ profile: 'privileged' })).toEqual({
      profile: 'baseline',
      registries: ['docker.io'],
      memory: 2 ** 30,
      cpus: 2,
      capped: true,
    })
  })

  test('gives nothing that the rules do not, and is silent where it takes nothing away', () => {
    const rules = { profile: 'restricted', registries: ['docker.io/library'], memory: 2 ** 20, cpus: 1 } as const
    expect(capBy(policy)(rules)).toEqual(rules)
    expect(capBy({ maxProfile: 'privileged' })({ profile: 'privileged' })).toEqual({ profile: 'privileged' })
  })
})

test('names the only actions that run, where it names any', () => {
  const policy: DockPolicy = { maxProfile: 'baseline', actions: ['start-container'] }
  const refusal = (action: Action, by = policy): unknown => {
    try {
      return requireAllowed(by, action, 'dock-1')
    } catch (error) {
      return error
    }
  }
  const running = [...actions.values()].filter((action) => refusal(action) === undefined)
  // Which docks there are is the fleet's business, and any dock may be the one that takes it.
  expect(running.map(({ name }) => name)).toEqual(['register', 'start-container', 'unregister'])
  expect([...actions.values()].filter((action) => refusal(action, policyWithoutFile) !== undefined)).toEqual([])
  expect(refusal(actions.get('pull-image') as Action)).toMatchObject({
    code: 'dock_policy',
    status: 403,
    message: 'action: expected one that the policy of dock-1 allows (start-container), got pull-image',
  })
})

test('names the only calls that are answered, too', () => {
  const logs = { name: 'read-logs', target: 'container' } as const
  const exec = { name: 'exec-container', target: 'container' } as const
  const policy: DockPolicy = { maxProfile: 'baseline', actions: ['read-logs'] }
  expect(() => requireAllowed(policy, logs, 'dock-1')).not.toThrow()
  expect(() => requireAllowed(policy, exec, 'dock-1')).toThrow(/got exec-container$/)
  expect(() => requireAllowed(policyWithoutFile, exec, 'dock-1')).not.toThrow()
})
