import { validate } from '../explain'
import { contextFor } from '../testing/context'
import { useDockerDouble } from '../testing/docker-double'
import { deleteImage } from './delete-image'

const double = useDockerDouble()
const image = 'localhost:5000/team/app:1.0'
const route = `DELETE /images/${image}`

test('asks Docker to remove the image, and answers what went', async () => {
  double.answer(route, { status: 200, body: [{ Untagged: image }] })
  const result = await deleteImage.run({ image, force: true }, contextFor(double.docker))
  expect(result).toEqual({ statusCode: 200, body: [{ Untagged: image }] })
  expect(double.asked).toEqual([{ what: route, query: { force: 'true' }, body: undefined }])
})

test.each([404, 409])('fails with Docker’s own status, such as %i', async (status) => {
  double.answer(route, { status, body: { message: 'no' } })
  await expect(deleteImage.run({ image }, contextFor(double.docker))).rejects.toMatchObject({ statusCode: status })
})

test.each(['json?all=1#', 'x/../../containers/json', '../info', 'a/%2e%2e/b'])(
  'refuses %j, which would be another path of the daemon',
  (name) => {
    expect(() => validate(deleteImage.request, { hostname: 'dock-1', image: name })).toThrow(/^image: expected/)
  },
)

test('must be told which dock is meant', () => {
  expect(() => validate(deleteImage.request, { image })).toThrow(/^hostname: expected .*; got nothing$/)
})
