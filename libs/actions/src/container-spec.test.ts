import { type ContainerSpec, dockerBody, templateSpec } from './container-spec'
import { validate } from './explain'

const body = (spec: object) => dockerBody(validate(templateSpec, { image: 'ubuntu', ...spec }))

test('asks Docker for nothing that the spec does not say', () => {
  expect(body({})).toEqual({ Image: 'ubuntu', HostConfig: {} })
})

test('says everything in Docker’s own terms', () => {
  const spec: ContainerSpec = {
    cmd: ['sleep', '60'],
    entrypoint: '/bin/sh  -c',
    env: { A: '1', EMPTY: '' },
    labels: { team: 'blue' },
    ports: ['8080:80'],
    mounts: [{ type: 'bind', source: '/srv', target: '/data', readOnly: true }],
    memory: '512m',
    cpus: 1.5,
    restart: 'on-failure:3',
    network: 'container:web',
    user: '1000:1000',
    workingDir: '/data',
    tty: true,
    init: true,
    stopSignal: 'SIGINT',
    stopTimeout: 0,
  }
  expect(body(spec)).toEqual({
    Image: 'ubuntu',
    Cmd: ['sleep', '60'],
    Entrypoint: ['/bin/sh', '-c'],
    Env: ['A=1', 'EMPTY='],
    Labels: { team: 'blue' },
    ExposedPorts: { '80/tcp': {} },
    User: '1000:1000',
    WorkingDir: '/data',
    Tty: true,
    OpenStdin: true,
    StopSignal: 'SIGINT',
    StopTimeout: 0,
    HostConfig: {
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
      Mounts: [{ Type: 'bind', Source: '/srv', Target: '/data', ReadOnly: true }],
      Memory: 536_870_912,
      NanoCpus: 1_500_000_000,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      NetworkMode: 'container:web',
      Init: true,
    },
  })
})

test('takes the environment as a list, too', () => {
  expect(body({ env: ['A=1', 'B=x=y'] })).toMatchObject({ Env: ['A=1', 'B=x=y'] })
})

test('mounts an anonymous volume where neither a type nor a source is given', () => {
  expect(body({ mounts: [{ target: '/data' }] })).toMatchObject({
    HostConfig: { Mounts: [{ Type: 'volume', Source: '', Target: '/data', ReadOnly: false }] },
  })
})

test.each([
  [{ mounts: [{ type: 'bind', target: '/x' }] }, 'mounts[0].source: expected an absolute path; got nothing'],
  [
    { mounts: [{ type: 'bind', source: 'srv', target: '/x' }] },
    'mounts[0].source: expected an absolute path; got "srv"',
  ],
  [{ mounts: [{ source: '/etc', target: '/x' }] }, 'mounts[0].source: expected letters, digits, _ . -'],
  [{ mounts: [{ type: 'tmpfs', source: 'x', target: '/x' }] }, 'mounts[0].source: expected no source'],
  [{ mounts: [{ type: 'npipe', target: '/x' }] }, 'mounts[0].type: expected bind, volume or tmpfs; got "npipe"'],
  [
    { labels: { 'deblox.owner': 'mallory' } },
    'labels.deblox.owner: expected a label that does not begin with "deblox."',
  ],
  [{ env: { 'A=B': '1' } }, 'env."A=B": expected a name without "="; got "A=B"'],
  [{ env: ['=x'] }, 'env[0]: expected NAME=value; got "=x"'],
  [{ network: 'a b' }, 'network: expected bridge, host, none, container:NAME, or the name of a network; got "a b"'],
  [{ cpus: 0 }, 'cpus: expected a number of CPUs from 0.01 to 10000'],
  [{ restart: 'sometimes' }, 'restart: expected no, always, unless-stopped, on-failure or on-failure:N'],
  [{ stopTimeout: 1.5 }, 'stopTimeout: expected a whole number of seconds from 0 to 3600; got 1.5'],
])('refuses %j', (spec, message) => {
  expect(() => body(spec)).toThrow(message)
})

test('wants an image in a template', () => {
  expect(() => validate(templateSpec, { cmd: 'true' })).toThrow(/^image: expected an image reference .*; got nothing$/)
})
