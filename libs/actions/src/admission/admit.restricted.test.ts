import { DebloxError } from '../errors'
import { admit } from './admit'
import { safeCapabilities } from './capabilities'
import type { Rules } from './rules'

const restricted: Rules = { profile: 'restricted' }

function refused(document: unknown, rules: Rules): Partial<DebloxError> {
  try {
    admit(document, rules)
  } catch (error) {
    if (error instanceof DebloxError) return { code: error.code, message: error.message, details: error.details }
    throw error
  }
  throw new Error('expected a refusal')
}

const forced = {
  CapDrop: ['ALL'],
  CapAdd: [...safeCapabilities].sort(),
  SecurityOpt: ['no-new-privileges'],
  PidsLimit: 512,
}

/** What an inspection tells of a container that nobody asked anything for; the newer fields are of later engines. */
const harmless = {
  Hostname: 'web',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  ExposedPorts: { '80/tcp': {} },
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: ['PATH=/bin'],
  Cmd: ['sh'],
  Image: 'busybox',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  MacAddress: '',
  OnBuild: null,
  Labels: {},
  HostConfig: {
    Binds: null,
    ContainerIDFile: '',
    LogConfig: { Type: 'json-file', Config: {} },
    NetworkMode: 'default',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: '',
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: null,
    CapDrop: null,
    CgroupnsMode: 'private',
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: 'private',
    Cgroup: '',
    Links: null,
    OomScoreAdj: 0,
    PidMode: '',
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: '',
    UsernsMode: '',
    ShmSize: 67_108_864,
    Runtime: 'runc',
    Isolation: '',
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: '',
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: null,
    BlkioDeviceWriteBps: [],
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: '',
    CpusetMems: '',
    Devices: [],
    DeviceCgroupRules: null,
    DeviceRequests: null,
    KernelMemory: 0,
    KernelMemoryTCP: 0,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: null,
    OomKillDisable: false,
    PidsLimit: null,
    Ulimits: null,
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    Annotations: {},
    Sysctls: {},
    StorageOpt: null,
    Tmpfs: {},
    Mounts: [],
    MaskedPaths: [
      '/proc/asound',
      '/proc/acpi',
      '/proc/interrupts',
      '/proc/kcore',
      '/proc/keys',
      '/proc/latency_stats',
      '/proc/timer_list',
      '/proc/timer_stats',
      '/proc/sched_debug',
      '/proc/scsi',
      '/sys/firmware',
      '/sys/devices/virtual/powercap',
      '/sys/devices/system/cpu/cpu0/thermal_throttle',
    ],
    ReadonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  },
  NetworkingConfig: { EndpointsConfig: { bridge: null, own: { Aliases: ['db'], IPAMConfig: {} } } },
}

describe('restricted', () => {
  test('takes each field at its harmless default, and leaves the engine its own', () => {
    const { HostConfig = {}, ...config } = admit(harmless, restricted)
    expect(config).toMatchObject({ Image: 'busybox', Cmd: ['sh'], ExposedPorts: { '80/tcp': {} } })
    expect(HostConfig).toMatchObject({ ...forced, NetworkMode: 'default', ShmSize: 67_108_864 })
    for (const field of ['Runtime', 'MaskedPaths', 'ReadonlyPaths', 'Privileged', 'Devices', 'Sysctls', 'PidMode']) {
      expect(HostConfig).not.toHaveProperty(field)
    }
  })

  test.each([{}, { HostConfig: null }, { HostConfig: {} }])('forces its safeguards upon %j', (document) => {
    expect(admit({ Image: 'busybox', ...document }, restricted)).toEqual({ Image: 'busybox', HostConfig: forced })
  })

  test.each([
    [{ CapDrop: ['ALL'] }, []],
    [{ CapDrop: ['cap_all'], CapAdd: ['CAP_NET_BIND_SERVICE'] }, ['NET_BIND_SERVICE']],
    [{ CapDrop: ['CHOWN', 'KILL'] }, [...safeCapabilities].sort().filter((name) => !/CHOWN|KILL/.test(name))],
    [{ CapAdd: ['chown'] }, forced.CapAdd],
  ])('keeps of the safe capabilities what %j leaves', (asked, CapAdd) => {
    expect(admit({ HostConfig: asked }, restricted).HostConfig).toMatchObject({ CapDrop: ['ALL'], CapAdd })
  })

  test.each([
    [null, 512],
    [0, 512],
    [1, 1],
    [512, 512],
  ])('of the limit %j of processes makes %j', (asked, PidsLimit) => {
    expect(admit({ HostConfig: { PidsLimit: asked } }, restricted).HostConfig).toMatchObject({ PidsLimit })
  })

  test.each([
    { SecurityOpt: ['no-new-privileges'] },
    { SecurityOpt: ['no-new-privileges:true'] },
    { SecurityOpt: ['no-new-privileges=true'] },
    { SecurityOpt: [] },
  ])('takes %j for what it forces anyway', (asked) => {
    expect(admit({ HostConfig: asked }, restricted).HostConfig).toEqual(forced)
  })

  const passed: object[] = [
    { Binds: ['data:/var/lib/data', 'data:/x:ro', 'data:/y:rw,nocopy'] },
    { Mounts: [{ Type: 'volume', Source: 'data', Target: '/data', ReadOnly: true }] },
    { Mounts: [{ Type: 'volume', Target: '/data', VolumeOptions: { NoCopy: true, Labels: { team: 'blue' } } }] },
    { Mounts: [{ Type: 'tmpfs', Target: '/dev/shm', TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } }] },
    { Tmpfs: { '/run': 'size=64m,mode=1777,exec', '/tmp': '' } },
    { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }], '53/udp': [{ HostPort: '' }] } },
    { PortBindings: { 80: [{ HostPort: '0' }], '443/tcp': [{ HostPort: '1024-2000' }] }, PublishAllPorts: true },
    { LogConfig: { Type: 'local', Config: { 'max-size': '10m', 'max-file': '3', compress: 'true' } } },
    { LogConfig: { Type: 'none', Config: {} } },
    { Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 4096 }] },
    { Memory: 2 ** 30, MemorySwap: -1, NanoCpus: 5e8, CpuShares: 512, CpusetCpus: '0-1,3', OomScoreAdj: 500 },
    { NetworkMode: 'none' },
    { NetworkMode: 'own-network' },
    { ReadonlyRootfs: true, Init: true, AutoRemove: true, Dns: ['1.1.1.1'], ExtraHosts: ['db:10.0.0.1'] },
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, IpcMode: 'none', ShmSize: 0 },
  ]
  test.each(passed)('passes %j on', (asked) => {
    expect(admit({ HostConfig: asked }, restricted).HostConfig).toEqual({ ...asked, ...forced })
  })

  test.each([
    ['MaskedPaths', [...harmless.HostConfig.MaskedPaths, '/own']],
    ['ReadonlyPaths', [...harmless.HostConfig.ReadonlyPaths, '/own']],
  ])('does not lay %s of the caller’s own over the engine’s', (field, paths) => {
    expect(refused({ HostConfig: { [field]: paths } }, restricted).details).toMatchObject({
      field: `HostConfig.${field}`,
    })
  })

  test('says what was expected, under which profile, and what arrived', () => {
    expect(refused({ HostConfig: { Privileged: true } }, restricted)).toEqual({
      code: 'admission_denied',
      message: 'HostConfig.Privileged: expected false under the profile restricted, got true',
      details: { field: 'HostConfig.Privileged', profile: 'restricted' },
    })
  })

  test('says whose profile it is where the dock has the last word', () => {
    expect(refused({ HostConfig: { Privileged: true } }, { ...restricted, capped: true })).toMatchObject({
      code: 'dock_policy',
      message: "HostConfig.Privileged: expected false under the profile restricted of this dock's policy, got true",
    })
  })
})
