import { dockerMessage, dockerStatus } from './docker-status'

const fromDocker = Object.assign(new Error('(HTTP code 409) conflict - name is taken '), {
  statusCode: 409,
  json: { message: 'name is taken' },
})

test('finds the daemon’s status, and its own words without what dockerode wraps around them', () => {
  expect(dockerStatus(fromDocker)).toBe(409)
  expect(dockerMessage(fromDocker)).toBe('name is taken')
})

test.each([
  ['no daemon answered', Object.assign(new Error('connect ENOENT'), { code: 'ENOENT' })],
  ['the status is no number', Object.assign(new Error('odd'), { statusCode: '409' })],
  ['it is no error', { statusCode: 409 }],
])('finds none where %s', (_, error) => {
  expect(dockerStatus(error)).toBeUndefined()
})

test.each([
  [Object.assign(new Error('plain'), { json: null }), 'plain'],
  [Object.assign(new Error('plain'), { json: Buffer.from('html') }), 'plain'],
  ['text', 'text'],
])('falls back on the error’s message (%#)', (error, message) => {
  expect(dockerMessage(error)).toBe(message)
})
