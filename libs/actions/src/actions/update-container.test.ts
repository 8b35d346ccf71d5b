import { validate } from '../explain'
import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { updateContainer } from './update-container'

const double = useDockerDouble()
const route = `POST /containers/${someId}/update`
const update = (limits: object) => updateContainer.run({ id: someId, ...limits }, contextFor(double.docker))

test('sends the limits in Docker’s own units', async () => {
  double.answer(route, { status: 200, body: { Warnings: null } })
  const result = await update({
    memory: '64m',
    memorySwap: -1,
    cpus: 0.5,
    cpuShares: 512,
    pidsLimit: 100,
    restart: 'on-failure:3',
  })
  expect(result).toEqual({ statusCode: 200, body: { Warnings: null } })
  expect(double.asked).toEqual([
    {
      what: route,
      query: {},
      body: {
        Memory: 64 * 2 ** 20,
        MemorySwap: -1,
        NanoCpus: 500_000_000,
        CpuShares: 512,
        PidsLimit: 100,
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      },
    },
  ])
})

test.each([
  ['1g', 2 ** 30],
  [-1, -1],
])('takes %j for memory and swap together', async (memorySwap, sent) => {
  double.answer(route, { status: 200, body: { Warnings: null } })
  await update(validate(updateContainer.params, { id: someId, memorySwap }))
  expect(double.asked[0]?.body).toEqual({ MemorySwap: sent })
})

test('sends nothing that was not asked for', async () => {
  double.answer(route, { status: 200, body: { Warnings: null } })
  await update({ pidsLimit: -1 })
  expect(double.asked[0]?.body).toEqual({ PidsLimit: -1 })
})

test('wants at least one limit', () => {
  expect(() => validate(updateContainer.request, { id: someId })).toThrow(
    /^memory or .* or restart: expected at least one of them; got nothing$/,
  )
})

test.each([{ memory: 0 }, { memory: '0m' }, { memorySwap: 0 }, { cpuShares: 0 }])(
  'refuses %j, which Docker would ignore in silence',
  (limits) => {
    expect(() => validate(updateContainer.request, { id: someId, ...limits })).toThrow(/expected/)
  },
)

test('gives a container no more than a create could', async () => {
  const rules = { profile: 'restricted', memory: 2 ** 30 } as const
  for (const limits of [{ pidsLimit: -1 }, { pidsLimit: 0 }, { memory: '2g' }, { memorySwap: -1 }]) {
    expect(() => updateContainer.admit?.({ id: someId, ...limits }, rules)).toThrow(
      /^\w+: expected .* restricted, got /,
    )
    const context = contextFor(double.docker, { rules })
    await expect(updateContainer.run({ id: someId, ...limits }, context)).rejects.toMatchObject({ status: 403 })
  }
  expect(double.asked).toEqual([])
})
