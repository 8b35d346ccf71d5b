import { createContainerOnce, type CreateOptions, nameFor } from './create'
import { contextFor, someId, someJob } from './testing/context'
import { useDockerDouble } from './testing/docker-double'

const double = useDockerDouble()
const ownLabels = {
  'deblox.job': 'job-7',
  'deblox.slot': '1',
  'deblox.epoch': '3',
  'deblox.owner': 'anna',
  'deblox.sig': 'anna job-7 1',
}
const created = { status: 201, body: { Id: someId, Warnings: ['no swap'] } }
const noImage = { status: 404, body: { message: 'No such image: ubuntu:latest' } }
const nameTaken = { status: 409, body: { message: 'Conflict. The container name is already in use' } }
const notYet = { status: 404, body: { message: 'No such container' } }
const create = (body: object, options: CreateOptions = {}) =>
  createContainerOnce(body, options, contextFor(double.docker))
const asked = () => double.asked.map(({ what }) => what)

/** What Docker says of the container that has the name. */
const holder = (labels: Record<string, string> | null, status = 'created') => ({
  status: 200,
  body: { Id: someId, Config: { Labels: labels }, State: { Status: status } },
})

test('sends the body as it is, with the job’s labels, under the derived name', async () => {
  double.answer('POST /containers/create', created)
  const result = await create({ Image: 'ubuntu', Env: ['A=1'], Labels: { team: 'blue' } })
  expect(double.asked).toEqual([
    {
      what: 'POST /containers/create',
      query: { name: 'deblox-job-7-1' },
      body: { Image: 'ubuntu', Env: ['A=1'], Labels: { team: 'blue', ...ownLabels } },
    },
  ])
  expect(result).toEqual({
    statusCode: 201,
    body: created.body,
    container: { id: someId, name: 'deblox-job-7-1' },
  })
})

test('lets nobody else write its labels', async () => {
  await expect(create({ Image: 'ubuntu', Labels: { 'deblox.owner': 'mallory' } })).rejects.toMatchObject({
    code: 'invalid_request',
    details: { field: 'Labels.deblox.owner' },
  })
  expect(asked()).toEqual([])
})

test('sends what the rules make of the document, and looks at the volumes that it names first', async () => {
  double.answer('POST /containers/create', created)
  double.answer('GET /volumes/data', { status: 200, body: { Driver: 'local', Options: null } })
  const context = contextFor(double.docker, { rules: { profile: 'restricted' } })
  await createContainerOnce({ Image: 'ubuntu', HostConfig: { Binds: ['data:/data'] } }, {}, context)
  expect(asked()).toEqual(['GET /volumes/data', 'POST /containers/create'])
  expect(double.asked[1]?.body).toMatchObject({
    HostConfig: { Binds: ['data:/data'], CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] },
  })
})

test('makes nothing where a volume turns out to be a part of the host', async () => {
  double.answer('GET /volumes/data', { status: 200, body: { Driver: 'local', Options: { o: 'bind', device: '/' } } })
  const context = contextFor(double.docker, { rules: { profile: 'baseline' } })
  const options = { pull: 'always', start: true } as const
  const document = { Image: 'ubuntu', HostConfig: { Binds: ['data:/data'] } }
  await expect(createContainerOnce(document, options, context)).rejects.toMatchObject({ code: 'admission_denied' })
  expect(asked()).toEqual(['GET /volumes/data'])
})

test('names a container after the caller’s wish, with the slot’s number where there are several', () => {
  expect(nameFor(someJob, 'web')).toBe('web')
  expect(nameFor({ ...someJob, numbered: true, slot: 2 }, 'web')).toBe('web-2')
  expect(nameFor({ ...someJob, numbered: true, slot: 2 })).toBe('deblox-job-7-2')
})

describe('when the name is taken', () => {
  beforeEach(() => double.answer('POST /containers/create', nameTaken))

  test('adopts the container that an earlier try of the same job and slot made', async () => {
    double.answer('GET /containers/web/json', holder(ownLabels))
    await expect(create({ Image: 'ubuntu' }, { name: 'web' })).resolves.toEqual({
      statusCode: 201,
      body: { Id: someId, Warnings: null },
      container: { id: someId, name: 'web' },
    })
  })

  test('starts the adopted container if the earlier try did not come so far', async () => {
    double.answer('GET /containers/web/json', holder(ownLabels, 'created'))
    double.answer(`POST /containers/${someId}/start`, { status: 204 })
    await create({ Image: 'ubuntu' }, { name: 'web', start: true })
    expect(asked()).toContain(`POST /containers/${someId}/start`)
  })

  test.each(['running', 'exited', 'paused', 'restarting', 'dead'])(
    'does not start an adopted container that is %s: it would run twice',
    async (status) => {
      double.answer('GET /containers/web/json', holder(ownLabels, status))
      await create({ Image: 'ubuntu' }, { name: 'web', start: true })
      expect(asked()).toEqual(['POST /containers/create', 'GET /containers/web/json'])
    },
  )

  test.each([
    ['another job’s', { ...ownLabels, 'deblox.job': 'job-8' }],
    ['another slot’s', { ...ownLabels, 'deblox.slot': '2' }],
    ['nobody’s that we know', { team: 'blue' }],
    ['without labels', null],
  ])('fails with Docker’s own conflict if the container is %s', async (_, labels) => {
    double.answer('GET /containers/web/json', holder(labels))
    await expect(create({ Image: 'ubuntu' }, { name: 'web', start: true })).rejects.toMatchObject({
      statusCode: 409,
      json: nameTaken.body,
    })
  })

  test('adopts it also where it is only on its way: Docker takes a name before it has the container', async () => {
    double.answer('GET /containers/web/json', notYet, notYet, notYet, holder(ownLabels))
    await expect(create({ Image: 'ubuntu' }, { name: 'web' })).resolves.toMatchObject({ statusCode: 201 })
    expect(asked().filter((what) => what.startsWith('GET'))).toHaveLength(4)
  })

  test('fails with Docker’s own conflict if the name stays taken by what cannot be found', async () => {
    double.answer('GET /containers/web/json', notYet)
    await expect(create({ Image: 'ubuntu' }, { name: 'web' })).rejects.toMatchObject({ statusCode: 409 })
  }, 15_000)
})

describe('start', () => {
  beforeEach(() => double.answer('POST /containers/create', created))

  test('starts the new container in the same job', async () => {
    double.answer(`POST /containers/${someId}/start`, { status: 204 })
    await expect(create({ Image: 'ubuntu' }, { start: true })).resolves.toMatchObject({ statusCode: 201 })
    expect(asked()).toEqual(['POST /containers/create', `POST /containers/${someId}/start`])
  })

  test('takes a container that runs already for success', async () => {
    double.answer(`POST /containers/${someId}/start`, { status: 304 })
    await expect(create({ Image: 'ubuntu' }, { start: true })).resolves.toMatchObject({ statusCode: 201 })
  })

  test('fails with Docker’s own words, and tells of the container that was made', async () => {
    double.answer(`POST /containers/${someId}/start`, { status: 500, body: { message: 'port is already allocated' } })
    await expect(create({ Image: 'ubuntu' }, { start: true })).rejects.toMatchObject({
      code: 'docker_error',
      status: 500,
      message: expect.stringMatching(
        /^port is already allocated \(the container .* was created, and is not started\)$/,
      ),
      details: { container: { id: someId, name: 'deblox-job-7-1' } },
    })
  })
})

describe('pull', () => {
  const pulled = { status: 200, body: { status: 'Pull complete' } }

  test.each<CreateOptions>([{}, { pull: 'missing' }])('with %j pulls an image that is missing', async (options) => {
    double.answer('POST /containers/create', noImage, created)
    double.answer('GET /images/ubuntu/json', noImage)
    double.answer('POST /images/create', pulled)
    await expect(create({ Image: 'ubuntu' }, options)).resolves.toMatchObject({ statusCode: 201 })
    expect(asked()).toEqual([
      'POST /containers/create',
      'GET /images/ubuntu/json',
      'GET /images/ubuntu/json',
      'POST /images/create',
      'POST /containers/create',
    ])
  })

  test('"missing" pulls nothing that was pulled for another until its turn had come', async () => {
    double.answer('POST /containers/create', noImage, created)
    double.answer('GET /images/ubuntu/json', noImage, { status: 200, body: {} })
    await expect(create({ Image: 'ubuntu' })).resolves.toMatchObject({ statusCode: 201 })
    expect(asked()).not.toContain('POST /images/create')
  })

  test('"missing" pulls nothing that is there', async () => {
    double.answer('POST /containers/create', created)
    await create({ Image: 'ubuntu' }, { pull: 'missing' })
    expect(asked()).toEqual(['POST /containers/create'])
  })

  test('"missing" pulls nothing where something else is not found', async () => {
    double.answer('POST /containers/create', { status: 404, body: { message: 'no such volume driver' } })
    double.answer('GET /images/ubuntu/json', { status: 200, body: {} })
    await expect(create({ Image: 'ubuntu' })).rejects.toMatchObject({ json: { message: 'no such volume driver' } })
    expect(asked()).not.toContain('POST /images/create')
  })

  test.each(['a'.repeat(64), `sha256:${'a'.repeat(64)}`])(
    '"missing" does not try to pull the id %s: Docker’s own answer stands',
    async (image) => {
      double.answer('POST /containers/create', noImage)
      await expect(create({ Image: image })).rejects.toMatchObject({ statusCode: 404, json: noImage.body })
      expect(asked()).toEqual(['POST /containers/create'])
    },
  )

  test('"missing" pulls nothing for a body without an image', async () => {
    double.answer('POST /containers/create', noImage)
    await expect(create({ Cmd: ['true'] })).rejects.toMatchObject({ statusCode: 404 })
    expect(asked()).toEqual(['POST /containers/create'])
  })

  test('"always" pulls first', async () => {
    double.answer('POST /images/create', pulled)
    double.answer('POST /containers/create', created)
    await create({ Image: 'ubuntu' }, { pull: 'always' })
    expect(asked()).toEqual(['POST /images/create', 'POST /containers/create'])
  })

  test('"always" does not create from an old image when the pull fails', async () => {
    double.answer('POST /images/create', { status: 200, body: { error: 'registry is away' } })
    await expect(create({ Image: 'ubuntu' }, { pull: 'always' })).rejects.toMatchObject({ code: 'docker_error' })
    expect(asked()).toEqual(['POST /images/create'])
  })

  test('"never" leaves a missing image missing', async () => {
    double.answer('POST /containers/create', noImage)
    await expect(create({ Image: 'ubuntu' }, { pull: 'never' })).rejects.toMatchObject({ statusCode: 404 })
    expect(asked()).toEqual(['POST /containers/create'])
  })
})
