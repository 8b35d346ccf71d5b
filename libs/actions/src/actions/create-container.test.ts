import { DebloxError } from '../errors'
import { validate } from '../explain'
import { findAction } from '../registry'
import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { createContainer } from './create-container'

const double = useDockerDouble()

test('is also known by its old name', () => {
  expect(findAction('create-unibet-container')).toBe(findAction('create-container'))
})

test('asks Docker for the container of the spec, and answers what Docker answered', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: null } })
  const result = await createContainer.run({ image: 'ubuntu', cmd: 'sleep 60', name: 'web' }, contextFor(double.docker))
  expect(double.asked).toMatchObject([
    { what: 'POST /containers/create', query: { name: 'web' }, body: { Image: 'ubuntu', Cmd: ['sleep', '60'] } },
  ])
  expect(result).toMatchObject({ statusCode: 201, body: { Id: someId, Warnings: null } })
})

test('may ask for what the caller’s profile gives, whatever the template says', async () => {
  const template = () => Promise.resolve({ image: 'busybox', network: 'host' })
  const params = (await createContainer.resolve?.({ template: 'admins' }, { template })) ?? {}
  createContainer.admit?.(params, { profile: 'privileged' })
  expect(() => createContainer.admit?.(params, { profile: 'baseline' })).toThrow(/^HostConfig\.NetworkMode: expected/)
  const context = contextFor(double.docker, { rules: { profile: 'restricted' } })
  await expect(createContainer.run(params, context)).rejects.toMatchObject({ code: 'admission_denied', status: 403 })
  expect(double.asked).toEqual([])
})

test('wants a template or an image', () => {
  expect(() => validate(createContainer.request, {})).toThrow(
    'template or image: expected at least one of them; got nothing',
  )
  expect(validate(createContainer.request, { template: 'test' })).toEqual({ template: 'test' })
})

test('puts the request’s own fields over the template’s', async () => {
  const template = (name: string) => Promise.resolve({ image: 'busybox', cmd: `run ${name}`, tty: true })
  const resolved = await createContainer.resolve?.({ template: 'test', cmd: 'mine', start: true }, { template })
  expect(resolved).toEqual({ image: 'busybox', cmd: 'mine', tty: true, start: true, template: 'test' })
})

test('marks the container with the template that it was made from', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: null } })
  await createContainer.run({ image: 'ubuntu', template: 'test' }, contextFor(double.docker))
  expect(double.asked).toMatchObject([{ body: { Labels: { 'deblox.template': 'test' } } }])
  await createContainer.run({ image: 'ubuntu' }, contextFor(double.docker))
  expect(double.asked[1]?.body).not.toHaveProperty(['Labels', 'deblox.template'])
})

test('fails where there is no such template', async () => {
  const template = () => Promise.reject(new DebloxError('template_not_found', 'no such template'))
  await expect(createContainer.resolve?.({ template: 'test' }, { template })).rejects.toMatchObject({
    code: 'template_not_found',
  })
})

test.each([0, 1001, 1.5, '2'])('refuses %j instances', (instances) => {
  expect(() => validate(createContainer.request, { image: 'ubuntu', instances })).toThrow(
    /^instances: expected a whole number from 1 to 1000; got /,
  )
})

test('parts how many and where from what', () => {
  expect(createContainer.split({ image: 'ubuntu', instances: 3, hostname: 'dock-1' })).toEqual({
    params: { image: 'ubuntu' },
    routing: { instances: 3, hostname: 'dock-1' },
  })
})
