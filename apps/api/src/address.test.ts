import type { Grant } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import type { Allowance } from '@deblox/fleet/allowances'
import { action, caller, fleetDouble, id } from './testing/desk-double'

const as = (subject: string, role: Identity['role'], more: Partial<Identity> = {}) => {
  const identity: Identity = { subject, teams: [], role, ...more }
  return caller({ identity, actor: subject, role })
}

describe('a container', () => {
  test('of one’s own is addressed, and the job says what that rests on', async () => {
    const double = fleetDouble()
    await double.submit(action('stop-container'), { id: 'web' }, as('anna', 'operator'))
    expect(double.records()).toMatchObject([
      { actor: 'anna', owner: 'anna', given: { owner: 'anna' }, identity: { subject: 'anna', role: 'operator' } },
    ])
  })

  test('of another is not there, and the audit hears what was asked', async () => {
    const double = fleetDouble()
    const ben = as('ben', 'deployer')
    await expect(double.submit(action('stop-container'), { id: 'web' }, ben)).rejects.toMatchObject({
      code: 'container_not_found',
    })
    expect(double.records()).toEqual([])
    expect(ben.about).toEqual({ permission: 'stop-container', object: 'web' })
  })

  test('that was granted is addressed for what was granted', async () => {
    const grant: Grant = { id: 'g', to: 'ben', may: ['stop-container'], on: { container: id }, by: 'anna', at: '' }
    const double = fleetDouble({ grants: [grant] })
    const ben = as('ben', 'viewer')
    await double.submit(action('stop-container'), { id: 'web' }, ben)
    expect(double.records()).toMatchObject([{ actor: 'ben', owner: 'anna', given: {} }])
    expect(ben.about).toMatchObject({ object: id, dock: 'dock-b', job: double.records()[0]?.id })
    await expect(double.submit(action('delete-container'), { id: 'web' }, ben)).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})

describe('under a key that he has used before', () => {
  const key = { idempotencyKey: 'once' }
  const ask = (double: ReturnType<typeof fleetDouble>, name: string, request: object, who: ReturnType<typeof as>) =>
    double.submit(action(name), request, { ...who, ...key })

  test('somebody is told nothing that he may not ask for any more', async () => {
    const double = fleetDouble()
    await ask(double, 'inspect-container', { id }, as('anna', 'viewer'))
    const narrow = as('anna', 'viewer', { scopes: ['GET /v1/me'] })
    await expect(ask(double, 'inspect-container', { id }, narrow)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(ask(double, 'inspect-container', { id }, as('anna', 'auditor'))).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  test('somebody who may make no containers any more is refused', async () => {
    const double = fleetDouble()
    await ask(double, 'create-container', { image: 'busybox' }, as('anna', 'deployer'))
    await expect(ask(double, 'create-container', { image: 'busybox' }, as('anna', 'viewer'))).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})

describe('a new container', () => {
  const create = (who: ReturnType<typeof as>, more: object = {}, allowance?: Allowance) => {
    const double = fleetDouble({ ...(allowance && { allowance }) })
    const ended = double.submit(action('create-container'), { image: 'busybox', ...more }, who)
    return { double, ended }
  }

  test('belongs to whoever asked, or to a team of his', async () => {
    const anna = as('anna', 'deployer', { teams: ['ops'] })
    for (const [owner, more] of [['anna', {}] as const, ['team:ops', { owner: 'team:ops' }] as const]) {
      const { double, ended } = create(anna, more)
      await ended
      expect(double.records()).toMatchObject([{ owner }])
      expect(double.records()[0]?.params).not.toHaveProperty('owner')
    }
  })

  test('is given to others by an admin only', async () => {
    for (const owner of ['ben', 'team:dev']) {
      await expect(create(as('anna', 'deployer'), { owner }).ended).rejects.toMatchObject({ code: 'forbidden' })
      const { double, ended } = create(as('root', 'admin'), { owner })
      await ended
      expect(double.records()).toMatchObject([{ owner, actor: 'root' }])
    }
  })

  test('is not for whoever may not make any', async () => {
    for (const role of ['viewer', 'operator', 'auditor'] as const) {
      await expect(create(as('anna', role)).ended).rejects.toMatchObject({ code: 'forbidden' })
    }
  })

  test('may ask for what its owner may, on the dock that it names', async () => {
    const bind = { mounts: [{ type: 'bind', source: '/', target: '/host' }] }
    const allowance: Allowance = {
      rules: { profile: 'restricted' },
      onDocks: [{ docks: ['dock-b'], rules: { profile: 'privileged' } }],
    }
    const anna = as('anna', 'deployer')
    const refused = { code: 'admission_denied', status: 403 }
    await expect(create(anna, bind).ended).rejects.toMatchObject(refused)
    await expect(create(anna, bind, allowance).ended).rejects.toMatchObject(refused)
    await expect(create(anna, { ...bind, hostname: 'dock-c' }, allowance).ended).rejects.toMatchObject(refused)
    const { double, ended } = create(anna, { ...bind, hostname: 'dock-b' }, allowance)
    await ended
    expect(double.records()).toMatchObject([{ rules: { profile: 'privileged' } }])
    await create(as('root', 'admin'), bind).ended
  })

  test('counts against its owner’s quota, with its size', async () => {
    const allowance: Allowance = { rules: { profile: 'restricted' }, quota: { containers: 5 } }
    const more = { instances: 2, memory: '10m', cpus: 0.5 }
    const { double, ended } = create(as('anna', 'deployer'), more, allowance)
    await ended
    const jobId = double.records()[0]?.id
    expect(double.reserved).toEqual([{ owner: 'anna', jobId, slots: 2, memory: 10 * 2 ** 20, cpus: 0.5 }])
  })
})

test('one with secrets goes to a dock that is named at once, and to no other', async () => {
  const double = fleetDouble()
  const registryAuth = { username: 'anna', password: 'secret' }
  await double.submit(
    action('pull-image'),
    { image: 'busybox', hostname: 'dock-c', registryAuth },
    as('anna', 'deployer'),
  )
  const create = action('create-container')
  await double.submit(create, { image: 'busybox', secrets: { PASSWORD: 'secret' } }, as('anna', 'deployer'))
  expect(double.topics()).toEqual(['deblox.docker.dock-c', 'deblox.docker.dock-a'])
  expect(double.records().map(({ dealt }) => dealt)).toEqual([undefined, undefined])
})

describe('a container that is given away', () => {
  const give = (who: ReturnType<typeof as>, owner: string, allowance?: Allowance) => {
    const double = fleetDouble({ ...(allowance && { allowance }) })
    return { double, ended: double.submit(action('transfer-container'), { id: 'web', owner }, who) }
  }
  const anna = as('anna', 'deployer', { teams: ['ops'] })

  test('goes to a team of one’s own, by an admin to anybody', async () => {
    await give(anna, 'team:ops').ended
    await expect(give(anna, 'ben').ended).rejects.toMatchObject({ code: 'forbidden' })
    await expect(give(anna, 'team:dev').ended).rejects.toMatchObject({ code: 'forbidden' })
    await give(as('root', 'admin'), 'ben').ended
  })

  test('counts against the quota of whom it is given to', async () => {
    const allowance: Allowance = { rules: { profile: 'restricted' }, quota: { containers: 5 } }
    const { double, ended } = give(anna, 'team:ops', allowance)
    await ended
    const jobId = double.records()[0]?.id
    expect(double.reserved).toEqual([{ owner: 'team:ops', jobId, slots: 1, memory: 1000, cpus: 0 }])
  })
})

test('where limits are bounded in sum, a container keeps within those that it was made with', async () => {
  const allowance: Allowance = { rules: { profile: 'baseline' }, quota: { memory: 2 ** 40 } }
  const double = fleetDouble({ allowance })
  const update = (memory: number) =>
    double.submit(action('update-container'), { id: 'web', memory }, as('anna', 'deployer'))
  await expect(update(8 * 2 ** 20)).rejects.toMatchObject({ code: 'admission_denied' })
  expect(double.records()).toEqual([])
})

test('of a list somebody is shown what is his, an admin all', async () => {
  const double = fleetDouble()
  await double.submit(action('list-containers'), {}, as('anna', 'viewer', { teams: ['ops'] }))
  await double.submit(action('list-containers'), {}, as('root', 'admin'))
  expect(double.records().map(({ view }) => view)).toEqual([{ owners: ['anna', 'team:ops'], granted: [] }, undefined])
})
