import type Docker from 'dockerode'
import { networkRow } from './network-row'
import { volumeRow } from './volume-row'

test.each([
  ['2026-01-01T01:00:00+01:00', '2026-01-01T00:00:00.000Z'],
  ['2026-11-23T07:25:33.123456789Z', '2026-11-23T07:25:33.123Z'],
  ['yesterday', '1970-01-01T00:00:00.000Z'],
  [null, '1970-01-01T00:00:00.000Z'],
  [17, '1970-01-01T00:00:00.000Z'],
])('a volume or network of %j was made at %s', (told, createdAt) => {
  expect(volumeRow({ Name: 'data', CreatedAt: told } as unknown as Docker.VolumeInspectInfo, 'dock-1')).toEqual({
    name: 'data',
    dock: 'dock-1',
    driver: '',
    scope: '',
    labels: {},
    createdAt,
  })
  expect(networkRow({ Id: 'ab', Created: told } as unknown as Docker.NetworkInspectInfo, 'dock-1')).toEqual({
    id: 'ab',
    name: '',
    dock: 'dock-1',
    driver: '',
    scope: '',
    internal: false,
    labels: {},
    createdAt,
  })
})
