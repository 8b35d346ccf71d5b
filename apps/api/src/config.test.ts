import { readConfig } from './config'

test('without any variable the limits are those of the documents', () => {
  expect(readConfig({})).toMatchObject({
    PORT: 8080,
    HOST: '127.0.0.1',
    DEBLOX_MAX_QUEUE_DEPTH: 10_000,
    DEBLOX_MAX_JOBS_PER_OWNER: 5_000,
    DEBLOX_MAX_STREAMS: 64,
  })
})

test('limits that are set are read', () => {
  const env = { DEBLOX_MAX_QUEUE_DEPTH: '1', DEBLOX_MAX_JOBS_PER_OWNER: '100000' }
  expect(readConfig(env)).toMatchObject({ DEBLOX_MAX_QUEUE_DEPTH: 1, DEBLOX_MAX_JOBS_PER_OWNER: 100_000 })
})

describe.each(['DEBLOX_MAX_QUEUE_DEPTH', 'DEBLOX_MAX_JOBS_PER_OWNER', 'DEBLOX_MAX_STREAMS'])('%s', (name) => {
  test.each([
    ['0', '1 or more'],
    ['-1', '1 or more'],
    ['1.5', 'a whole number'],
    ['many', 'a number'],
    ['10000001', '10000000 or less'],
  ])('set to %s is refused in one line', (value, expected) => {
    expect(() => readConfig({ [name]: value })).toThrow(`${name}: expected ${expected}, got "${value}"`)
  })
})
