import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { admit } from './admit'
import { checkPlaces, checkVolume, type InspectedVolume } from './places'
import type { Profile } from './rules'
import { volumesOf } from './mounts'

const double = useDockerDouble()

const named = { name: 'data', path: ['HostConfig', 'Binds', 0] }
const document = {
  HostConfig: {
    Binds: ['data:/one'],
    Mounts: [
      { Type: 'volume', Source: 'more', Target: '/two' },
      { Type: 'volume', Target: '/three' },
      { Type: 'tmpfs', Target: '/four' },
    ],
    NetworkMode: 'own',
  },
}

const check = (profile: Profile) => {
  const rules = { profile }
  return checkPlaces(admit(document, rules), rules, contextFor(double.docker))
}

const plain = { status: 200, body: { Driver: 'local', Options: null } }
const missing = { status: 404, body: { message: 'no such thing' } }
const bridge = { status: 200, body: { Driver: 'bridge' } }

test('finds the volumes that a body names, and where', () => {
  expect(volumesOf(admit(document, { profile: 'restricted' }))).toEqual([
    { name: 'data', path: ['HostConfig', 'Binds', 0] },
    { name: 'more', path: ['HostConfig', 'Mounts', 0, 'Source'] },
  ])
})

test('lets plain volumes and networks pass, and those that are not there yet', async () => {
  double.answer('GET /volumes/data', plain)
  double.answer('GET /volumes/more', missing)
  double.answer('GET /networks/own', bridge)
  await check('restricted')
  expect(double.asked).toHaveLength(3)
})

test.each<InspectedVolume>([
  { Driver: 'local', Options: { type: 'none', o: 'bind', device: '/' } },
  { Driver: 'local', Options: { device: 'tmpfs' } },
  { Driver: 'local-persist', Options: null },
])('refuses the volume that somebody made as %j, but for privileged', async (inspected) => {
  double.answer('GET /volumes/data', plain)
  double.answer('GET /volumes/more', { status: 200, body: inspected })
  double.answer('GET /networks/own', bridge)
  for (const profile of ['restricted', 'baseline'] as const) {
    await expect(check(profile)).rejects.toMatchObject({
      code: 'admission_denied',
      message: expect.stringMatching(/^HostConfig\.Mounts\[0\]\.Source: expected a plain local volume .*, got "more"$/),
      details: { field: 'HostConfig.Mounts[0].Source' },
    })
  }
  await expect(check('privileged')).resolves.toBeUndefined()
  expect(() => checkVolume(inspected, named, { profile: 'privileged' })).not.toThrow()
})

test('refuses the host’s network by its id', async () => {
  double.answer('GET /volumes/data', plain)
  double.answer('GET /volumes/more', plain)
  double.answer('GET /networks/own', { status: 200, body: { Driver: 'host' } })
  await expect(check('restricted')).rejects.toMatchObject({ details: { field: 'HostConfig.NetworkMode' } })
})

test('fails where the daemon cannot say', async () => {
  double.answer('GET /volumes/data', { status: 500, body: { message: 'out of order' } })
  double.answer('GET /volumes/more', plain)
  double.answer('GET /networks/own', bridge)
  await expect(check('restricted')).rejects.toMatchObject({ statusCode: 500 })
})
