import { parseRedisUrl } from './redis'

const single = { kind: 'single', tls: false, path: '' }
const local = [{ host: '127.0.0.1', port: 6379 }]

test.each([
  ['redis://127.0.0.1', { ...single, nodes: local }],
  ['redis://127.0.0.1:6379', { ...single, nodes: local }],
  ['redis://127.0.0.1:6379/', { ...single, nodes: local }],
  ['redis://127.0.0.1:6379/15', { ...single, nodes: local, path: '15' }],
  ['rediss://redis.example.com:6380', { ...single, tls: true, nodes: [{ host: 'redis.example.com', port: 6380 }] }],
  ['redis://:secret@127.0.0.1', { ...single, nodes: local, password: 'secret' }],
  ['redis://anna:secret@127.0.0.1', { ...single, nodes: local, username: 'anna', password: 'secret' }],
  ['redis://anna@127.0.0.1', { ...single, nodes: local, username: 'anna' }],
  ['redis://:p%40ss%3Aw%2Frd%25@127.0.0.1', { ...single, nodes: local, password: 'p@ss:w/rd%' }],
  ['redis://a%40b:c%3Ad@127.0.0.1', { ...single, nodes: local, username: 'a@b', password: 'c:d' }],
  ['redis://:wh?t@127.0.0.1', { ...single, nodes: local, password: 'wh?t' }],
  ['redis://:to:ken@127.0.0.1', { ...single, nodes: local, password: 'to:ken' }],
  ['redis://[::1]', { ...single, nodes: [{ host: '::1', port: 6379 }] }],
  ['redis://[2001:db8::7]:7000/2', { ...single, nodes: [{ host: '2001:db8::7', port: 7000 }], path: '2' }],
  [
    'redis-sentinel://s1,s2:26380/main',
    {
      kind: 'sentinel',
      tls: false,
      nodes: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      path: 'main',
    },
  ],
  [
    'rediss-cluster://u:p@c1:7000,[::2]:7001',
    {
      kind: 'cluster',
      tls: true,
      username: 'u',
      password: 'p',
      nodes: [
        { host: 'c1', port: 7000 },
        { host: '::2', port: 7001 },
      ],
      path: '',
    },
  ],
])('%s is understood', (url, address) => expect(parseRedisUrl(url)).toEqual(address))

test.each([
  ['127.0.0.1:6379', /redis:\/\//],
  ['http://127.0.0.1', /redis:\/\//],
  ['redis://', /host:port/],
  ['redis://127.0.0.1/main', /database number, got main/],
  ['redis://127.0.0.1:port', /host:port, got 127\.0\.0\.1:port/],
  ['redis://127.0.0.1:99999', /host:port/],
  ['redis://::1', /host:port, got ::1/],
  ['redis-sentinel://s1,s2', /master's name/],
  ['redis-cluster://c1,', /host:port/],
  ['redis://127.0.0.1/0?db=1', /redis:\/\//],
])('%s is refused with what was expected', (url, message) => {
  expect(() => parseRedisUrl(url)).toThrow(TypeError)
  expect(() => parseRedisUrl(url)).toThrow(message)
})

test.each([
  'redis://anna:hunter2@',
  'redis://anna:hunter2@host:port',
  'redis://anna:hunter2@host/db',
  'redis-sentinel://anna:hunter2@host',
  'redis://anna:hunter2%@host',
  'redis://anna:%E0hunter2@host',
  'redis://anna:hunter2/x@host:1',
  'redis://anna:hunter2@x@host:y',
  'redis://anna:x/hunter2@host',
  'http://anna:hunter2@host',
])('the message about %s has no password in it', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(TypeError)
  expect(() => parseRedisUrl(url)).toThrow(/^(?!.*hunter2)/s)
})
