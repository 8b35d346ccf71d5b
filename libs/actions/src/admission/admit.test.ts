import { DebloxError } from '../errors'
import { admit } from './admit'
import type { Rules } from './rules'

const restricted: Rules = { profile: 'restricted' }
const baseline: Rules = { profile: 'baseline' }
const privileged: Rules = { profile: 'privileged' }

function refused(document: unknown, rules: Rules): Partial<DebloxError> {
  try {
    admit(document, rules)
  } catch (error) {
    if (error instanceof DebloxError) return { code: error.code, message: error.message, details: error.details }
    throw error
  }
  throw new Error('expected a refusal')
}

describe('baseline', () => {
  test('forces nothing', () => {
    expect(admit({ Image: 'busybox' }, baseline)).toEqual({ Image: 'busybox' })
  })

  const passed: object[] = [
    { CapAdd: ['NET_RAW', 'MKNOD', 'SYS_CHROOT'], CapDrop: ['KILL'] },
    { SecurityOpt: ['apparmor=docker-default', 'seccomp=builtin', 'no-new-privileges:false'] },
    { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '80' }] } },
    { PidsLimit: -1 },
    { Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' } },
    { GroupAdd: ['999'] },
    { StorageOpt: { size: '10G' } },
    { LogConfig: { Type: 'journald', Config: { tag: 'web' } } },
  ]
  test.each(passed)('passes on %j, which restricted refuses', (asked) => {
    expect(admit({ HostConfig: asked }, baseline).HostConfig).toEqual(asked)
    expect(refused({ HostConfig: asked }, restricted).code).toBe('admission_denied')
  })

  test('lets traffic be sent by labels, and no command be run', () => {
    expect(admit({ Labels: { 'traefik.enable': 'true' } }, baseline).Labels).toEqual({ 'traefik.enable': 'true' })
    expect(refused({ Labels: { 'ofelia.job-local.x.command': 'sh' } }, baseline).code).toBe('admission_denied')
  })

  const forbidden: [string, object][] = [
    ['Privileged', { Privileged: true }],
    ['CapAdd[0]', { CapAdd: ['SYS_ADMIN'] }],
    ['CapAdd[0]', { CapAdd: ['ALL'] }],
    ['Sysctls.kernel.core_pattern', { Sysctls: { 'kernel.core_pattern': '|/x' } }],
    ['SecurityOpt[0]', { SecurityOpt: ['seccomp=unconfined'] }],
    ['NetworkMode', { NetworkMode: 'host' }],
    ['NetworkMode', { NetworkMode: 'container:other' }],
    ['PidMode', { PidMode: 'host' }],
    ['LogConfig.Type', { LogConfig: { Type: 'syslog' } }],
    ['StorageOpt.dm.fs', { StorageOpt: { 'dm.fs': 'xfs' } }],
    ['MaskedPaths', { MaskedPaths: [] }],
    ['CgroupParent', { CgroupParent: '/' }],
    ['Runtime', { Runtime: 'nvidia' }],
    ['OomScoreAdj', { OomScoreAdj: -1 }],
  ]
  test.each(forbidden)('refuses %s', (field, asked) => {
    expect(refused({ HostConfig: asked }, baseline)).toMatchObject({
      code: 'admission_denied',
      details: { field: `HostConfig.${field}`, profile: 'baseline' },
    })
  })
})

describe('privileged', () => {
  test('passes on every field that Docker knows, as it came', () => {
    const document = {
      Image: 'busybox',
      Entrypoint: 'sh',
      WorkingDir: '/proc/self/cwd',
      Labels: { 'com.docker.compose.project': 'x' },
      Healthcheck: { Test: ['NONE'], Interval: 0 },
      HostConfig: {
        Privileged: true,
        Binds: ['/:/host:ro,rshared'],
        Mounts: [{ Type: 'bind', Source: '/', Target: '/sys', BindOptions: { Propagation: 'rshared' } }],
        Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }],
        DeviceRequests: [{ Driver: 'nvidia', Count: -1, Capabilities: [['gpu']] }],
        CapAdd: ['ALL'],
        SecurityOpt: ['seccomp=unconfined'],
        NetworkMode: 'host',
        PidMode: 'host',
        UsernsMode: 'host',
        CgroupParent: 'x.slice',
        Runtime: 'nvidia',
        Sysctls: { 'kernel.core_pattern': 'x' },
        MaskedPaths: [],
        LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'tcp://10.0.0.1' } },
        OomKillDisable: true,
        OomScoreAdj: -500,
        VolumesFrom: ['other'],
        Annotations: { a: 'b' },
      },
    }
    expect(admit(document, privileged)).toEqual(document)
  })

  test.each([
    ['Labels.deblox.owner', { Labels: { 'deblox.owner': 'mallory' } }],
    ['HostConfig.Surprise', { HostConfig: { Surprise: 1 } }],
    ['HostConfig.Privileged', { HostConfig: { Privileged: 1 } }],
    ['HostConfig.Binds[0]', { HostConfig: { Binds: [5] } }],
    ['HostConfig.CapAdd[0]', { HostConfig: { CapAdd: ['CAP_CAP_SYS_ADMIN'] } }],
    ['HostConfig.RestartPolicy.Name', { HostConfig: { RestartPolicy: { Name: 'sometimes' } } }],
    ['HostConfig.Memory', { HostConfig: { Memory: -1 } }],
    ['HostConfig.Memory', { HostConfig: { Memory: 1.5 } }],
    ['Env[0]', { Env: ['A=b\0c'] }],
    ['Cmd', { Cmd: 5 }],
    ['Image', { Image: 'x/../../info' }],
    ['body', []],
    ['body', 'x'],
    ['body', null],
  ])('still refuses %s', (field, document) => {
    expect(refused(document, privileged)).toMatchObject({ code: 'invalid_request', details: { field } })
  })
})

test('shows no value that may be a secret', () => {
  const secret = 'hunter2'
  for (const document of [{ Env: { PASSWORD: secret } }, { Env: [{ PASSWORD: secret }] }, { Env: [`P=${secret}\0`] }]) {
    expect(refused(document, restricted).message).not.toContain(secret)
  }
})

test('gives names such as __proto__ no meaning', () => {
  const labels = JSON.parse('{"__proto__": "x", "constructor": "y"}') as object
  expect(Object.keys(admit({ Labels: labels }, restricted).Labels ?? {})).toEqual(['__proto__', 'constructor'])
  expect(refused(JSON.parse('{"__proto__": {"Privileged": true}}'), restricted).code).toBe('invalid_request')
})
