import type Joi from 'joi'
import { validate } from './explain'
import { containerId, containerName, dockerRestartPolicy, flag, fullId, hostname, stopSignal } from './schemas'

const takes = (schema: Joi.Schema, value: unknown) => schema.validate(value, { convert: false }).error === undefined

test.each(['a', 'dock-1', 'app0126.example.com', `${'a'.repeat(63)}.b`, '10.0.0.1'])('%s is a host name', (name) => {
  expect(takes(hostname, name)).toBe(true)
})

test.each(['', 'Dock-1', 'a.', '.a', 'a..b', '-a', 'a-', 'a_b', 'a:b', 'a/b', 'a*', 'a'.repeat(64), 'ä'])(
  '%j is no host name: it becomes part of a topic’s',
  (name) => {
    expect(takes(hostname, name)).toBe(false)
  },
)

test.each(['json?all=1#', 'x/../../info', '..', 'a', '', 'a b', '%2e%2e', 'a'.repeat(10_240), 5, null])(
  '%j is no container',
  (id) => {
    expect(() => validate(containerId, id)).toThrow('expected 64 hex digits, a prefix of at least 4, or a name')
  },
)

test.each(['web', 'web-1', 'w.e_b', 'abcd', 'f'.repeat(64)])('%s may be a container', (id) => {
  expect(takes(containerId, id)).toBe(true)
})

test.each(['a'.repeat(12), '0123456789ab', 'f'.repeat(64), 'a', '-web', 'a/b', 'w'.repeat(129)])(
  'a new container cannot be called %s',
  (name) => {
    expect(takes(containerName, name)).toBe(false)
  },
)

test.each(['web', 'abcdef', 'a'.repeat(11), `${'a'.repeat(12)}-1`])('a new container may be called %s', (name) => {
  expect(takes(containerName, name)).toBe(true)
})

test('only a full id may reach a daemon', () => {
  expect(['a'.repeat(64), 'a'.repeat(63), 'A'.repeat(64), `${'a'.repeat(64)}\n`].map((id) => fullId.test(id))).toEqual([
    true,
    false,
    false,
    false,
  ])
})

test.each(['SIGTERM', 'TERM', 'sigterm', '15', 'SIGRTMIN+3'])('%s is a signal', (signal) => {
  expect(takes(stopSignal, signal)).toBe(true)
})

test.each(['', '0', '100', 15, 'SIG TERM', 'SIGTERM;ls'])('%j is no signal', (signal) => {
  expect(takes(stopSignal, signal)).toBe(false)
})

test.each([
  ['no', { Name: 'no', MaximumRetryCount: 0 }],
  ['unless-stopped', { Name: 'unless-stopped', MaximumRetryCount: 0 }],
  ['on-failure:5', { Name: 'on-failure', MaximumRetryCount: 5 }],
])('the restart policy %s is %j to Docker', (policy, docker) => {
  expect(dockerRestartPolicy(policy)).toEqual(docker)
})

test('a query may say 1 and 0 for true and false, as Docker’s own do, but JSON may not', () => {
  expect(['1', '0', 'true', 'false'].map((word) => validate(flag, word, { convert: true }))).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(() => validate(flag, '1')).toThrow('expected true or false; got "1"')
})
