import type Docker from 'dockerode'
import { contextFor, someId } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { listChanges } from './list-changes'

const double = useDockerDouble()
const route = `GET /containers/${someId}/changes`

test('answers what Docker says has changed', async () => {
  const body = [{ Path: '/tmp/x', Kind: 1 }]
  double.answer(route, { status: 200, body })
  expect(await listChanges.run({ id: someId }, contextFor(double.docker))).toEqual({ statusCode: 200, body })
  expect(double.asked).toEqual([{ what: route, query: {}, body: undefined }])
})

test('answers an empty list where Docker says null', async () => {
  const docker = { getContainer: () => ({ changes: async () => null }) } as unknown as Docker
  expect(await listChanges.run({ id: someId }, contextFor(docker))).toEqual({ statusCode: 200, body: [] })
})
