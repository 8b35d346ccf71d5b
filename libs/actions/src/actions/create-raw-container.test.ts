import { validate } from '../explain'
import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { createRawContainer } from './create-raw-container'

const double = useDockerDouble()
const check = (body: unknown) => validate(createRawContainer.request, { body })

test('passes Docker’s own document on as it is, with the job’s labels', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: [] } })
  const body = { Image: 'ubuntu', Labels: null, HostConfig: { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] } }
  const { params } = createRawContainer.split(validate(createRawContainer.request, { body, name: 'web' }))
  await createRawContainer.run(params, contextFor(double.docker))
  expect(double.asked).toMatchObject([
    { what: 'POST /containers/create', query: { name: 'web' }, body: { Image: 'ubuntu' } },
  ])
  expect(double.asked[0]?.body).toMatchObject({
    HostConfig: body.HostConfig,
    Labels: { 'deblox.job': 'job-7', 'deblox.owner': 'anna' },
  })
})

test('may ask for what the caller’s profile gives, and is refused beside the daemon for what the dock’s does not', async () => {
  const params = { body: { Image: 'ubuntu', HostConfig: { Privileged: true } } }
  createRawContainer.admit?.(params, { profile: 'privileged' })
  expect(() => createRawContainer.admit?.(params, { profile: 'baseline' })).toThrow(/^HostConfig\.Privileged: expected/)
  const capped = contextFor(double.docker, { rules: { profile: 'baseline', capped: true } })
  await expect(createRawContainer.run(params, capped)).rejects.toMatchObject({ code: 'dock_policy', status: 403 })
  expect(double.asked).toEqual([])
})

test('starts the container in the same job where asked', async () => {
  double.answer('POST /containers/create', { status: 201, body: { Id: someId, Warnings: [] } })
  double.answer(`POST /containers/${someId}/start`, { status: 204 })
  await createRawContainer.run({ body: { Image: 'ubuntu' }, start: true }, contextFor(double.docker))
  expect(double.asked.map(({ what }) => what)).toContain(`POST /containers/${someId}/start`)
})

test.each([
  ['nothing', undefined, /^body: expected .*; got nothing$/],
  ['text', 'x', /^body: expected an object; got "x"$/],
  ['an empty document', {}, /^body: expected an object of at least 1 field; got an object$/],
])('refuses %s', (_, body, message) => {
  expect(() => check(body)).toThrow(message)
})

test('refuses labels that are reserved', () => {
  expect(() => check({ Image: 'ubuntu', Labels: { 'deblox.owner': 'mallory' } })).toThrow(
    'body.Labels.deblox.owner: expected a label that does not begin with "deblox.", which is reserved',
  )
})

// Docker's decoder folds case as Unicode does: U+017F, the long s, is an s to it.
test.each(['labels', 'LABELS', 'lAbels', 'Label\u017f', 'label\u017f', 'image', 'IMAGE'])(
  'refuses the spelling %s, which Docker would read as well',
  (name) => {
    const body = { Image: 'ubuntu', [name]: { 'deblox.owner': 'mallory' } }
    expect(() => createRawContainer.admit?.({ body }, { profile: 'privileged' })).toThrow(
      /expected the field spelled (?:Image|Labels), got /,
    )
  },
)

test.each(['x/../../info', 'json?all=1#', '', 5])('refuses the image %j', (image) => {
  expect(() => check({ Image: image })).toThrow(/^body\.Image: expected an image reference/)
})
