import { admit } from './admit'
import { admitUpdate } from './limits'
import { profiles, type Rules, rulesSchema, stricter } from './rules'

const denied = (field: string) =>
  expect.objectContaining({ code: 'admission_denied', details: expect.objectContaining({ field }) })

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return 'nothing'
}

describe('the stricter of two', () => {
  const pairs = profiles.flatMap((one, index) =>
    profiles.map((other, otherIndex) => [one, other, profiles[Math.min(index, otherIndex)]] as const),
  )
  test.each(pairs)('has of the profiles %s and %s the lower', (one, other, profile) => {
    expect(stricter({ profile: one }, { profile: other })).toEqual({ profile })
  })

  test('has the lower ceilings, also where only one has any', () => {
    const one: Rules = { profile: 'baseline', memory: 100, cpus: 2 }
    expect(stricter(one, { profile: 'baseline', memory: 200, cpus: 1 })).toEqual({ ...one, cpus: 1 })
    expect(stricter({ profile: 'baseline' }, one)).toEqual(one)
  })

  test('has the registries that are in both, each as far as both go', () => {
    const of = (...registries: string[]): Rules => ({ profile: 'baseline', registries })
    expect(stricter(of('docker.io', 'quay.io/a'), of('docker.io/library', 'quay.io')).registries?.toSorted()).toEqual([
      'docker.io/library',
      'quay.io/a',
    ])
    expect(stricter(of('docker.io'), { profile: 'baseline' }).registries).toEqual(['docker.io'])
    expect(stricter(of('docker.io'), of('docker.iota')).registries).toEqual([])
  })

  test('is the dock’s where either is', () => {
    expect(stricter({ profile: 'baseline', capped: true }, { profile: 'restricted' }).capped).toBe(true)
  })
})

test.each([
  [{}, false],
  [{ profile: 'root' }, false],
  [{ profile: 'baseline', capped: true }, false],
  [{ profile: 'baseline', registries: ['https://docker.io'] }, false],
  [{ profile: 'baseline', memory: 1 }, false],
  [{ profile: 'baseline', surprise: 1 }, false],
  [{ profile: 'baseline', registries: ['docker.io', 'localhost:5000/team'], memory: 2 ** 30, cpus: 0.5 }, true],
])('of %j says that it is rules: %j', (value, right) => {
  expect(rulesSchema.validate(value).error === undefined).toBe(right)
})

describe('a ceiling', () => {
  const rules: Rules = { profile: 'baseline', memory: 2 ** 30, cpus: 2 }
  const host = (HostConfig: object) => admit({ HostConfig }, rules).HostConfig

  test('is the limit of what asks for none', () => {
    expect(admit({}, rules)).toEqual({ HostConfig: { Memory: 2 ** 30, NanoCpus: 2e9 } })
    expect(host({ Memory: 0, NanoCpus: 0 })).toEqual({ Memory: 2 ** 30, NanoCpus: 2e9 })
    expect(host({ CpuPeriod: 50_000 })).toMatchObject({ CpuPeriod: 50_000, CpuQuota: 100_000 })
  })

  test('leaves what asks for less', () => {
    const asked = { Memory: 2 ** 20, MemorySwap: 2 ** 21, CpuQuota: 200_000 }
    expect(host(asked)).toEqual(asked)
  })

  test.each([
    ['Memory', { Memory: 2 ** 30 + 1 }],
    ['MemorySwap', { Memory: 2 ** 20, MemorySwap: -1 }],
    ['MemorySwap', { Memory: 2 ** 20, MemorySwap: 2 ** 31 + 1 }],
    ['NanoCpus', { NanoCpus: 2e9 + 1 }],
    ['CpuQuota', { CpuQuota: 200_001 }],
    ['CpuQuota', { CpuQuota: -1 }],
    ['CpuQuota', { CpuPeriod: 1_000, CpuQuota: 2_001 }],
  ])('refuses more of %s', (field, asked) => {
    expect(thrownBy(() => host(asked))).toEqual(denied(`HostConfig.${field}`))
  })
})

describe('an update', () => {
  test('passes on what is changed, and nothing else', () => {
    const changed = { Memory: 2 ** 29, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } }
    expect(admitUpdate(changed, { profile: 'restricted', memory: 2 ** 30, cpus: 1 })).toEqual(changed)
    expect(admitUpdate({ PidsLimit: 0 }, { profile: 'baseline' })).toEqual({ PidsLimit: 0 })
  })

  test.each([
    ['PidsLimit', { PidsLimit: -1 }],
    ['PidsLimit', { PidsLimit: 0 }],
    ['PidsLimit', { PidsLimit: 513 }],
    ['Memory', { Memory: 2 ** 31 }],
    ['MemorySwap', { MemorySwap: -1 }],
    ['NanoCpus', { NanoCpus: 2e9 }],
    ['CpuPeriod', { CpuPeriod: 1_000 }],
  ])('cannot take %s further than a create', (field, changed) => {
    const rules: Rules = { profile: 'restricted', memory: 2 ** 30, cpus: 1 }
    expect(thrownBy(() => admitUpdate(changed, rules))).toEqual(denied(field))
  })
})
