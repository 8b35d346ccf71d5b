import Joi from 'joi'
import { commonVariables, readEnvironment } from './environment'
import { StartError } from './start-error'

const read = (env: NodeJS.ProcessEnv) => readEnvironment<object>(env, { ...commonVariables, PORT: Joi.number().port() })

test('without any variable there are the defaults', () => {
  expect(read({})).toEqual({
    REDIS_URL: 'redis://127.0.0.1:6379',
    DEBLOX_PREFIX: 'deblox',
    LOG_LEVEL: 'info',
    AUTH: 'on',
  })
})

test('an empty variable is as good as none, and others are passed over', () => {
  expect(read({ LOG_LEVEL: '', PATH: '/bin', HOME: '/root' })).toMatchObject({ LOG_LEVEL: 'info' })
  expect(read({ PATH: '/bin' })).not.toHaveProperty('PATH')
})

test('what is set is read', () => {
  const set = { REDIS_URL: 'rediss://u:p@r:1/2', DEBLOX_PREFIX: '{deblox}', LOG_LEVEL: 'debug', PORT: '81' }
  expect(read(set)).toEqual({ ...set, AUTH: 'on', PORT: 81 })
})

test.each([
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL: expected one of trace, debug, .*, got "loud"$/],
  [{ AUTH: 'no' }, /^AUTH: expected one of on, off, got "no"$/],
  [{ DEBLOX_PREFIX: 'a:b' }, /^DEBLOX_PREFIX: expected 1 to 64 letters, .*, got "a:b"$/],
  [{ DEBLOX_PREFIX: 'a'.repeat(65) }, /^DEBLOX_PREFIX: expected 1 to 64 letters/],
  [{ PORT: 'http' }, /^PORT: expected .*, got "http"$/],
  [{ PORT: '70000' }, /^PORT: expected .*, got "70000"$/],
  [{ REDIS_URL: 'localhost' }, /^REDIS_URL: expected redis:\/\/.*, got another value$/],
  [{ REDIS_URL: 'redis://h/main' }, /^REDIS_URL: expected a database number, got main/],
])('%j stops the process with one line: the variable, what was expected, what arrived', (env, message) => {
  expect(() => read(env)).toThrow(StartError)
  expect(() => read(env)).toThrow(message)
})

test.each(['redis://u:hunter2@h/main', 'http://u:hunter2@h', 'redis://u:hunter2@h:x'])(
  'the password of %s is not shown',
  (REDIS_URL) => {
    expect(() => read({ REDIS_URL })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    )
  },
)
