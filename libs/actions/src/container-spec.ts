import type { ContainerCreateOptions, MountSettings } from 'dockerode'
import Joi from 'joi'
import { image } from './image-reference'
import { bytes, memory } from './memory'
import { expected } from './messages'
import { ports, publish } from './ports'
import { cpus, dockerName, dockerRestartPolicy, flag, restartPolicy, stopSignal, stopTimeout } from './schemas'
import { withoutUndefined } from './without-undefined'

export interface Mount {
  type: 'bind' | 'volume' | 'tmpfs'
  /** A host path (bind) or a volume's name; a volume without one is anonymous. */
  source?: string
  target: string
  readOnly?: boolean
}

/** What a container is made of: the fields of a create and of a template. */
export interface ContainerSpec {
  image?: string
  cmd?: string | string[]
  entrypoint?: string | string[]
  env?: Record<string, string> | string[]
  labels?: Record<string, string>
  ports?: string[]
  mounts?: Mount[]
  memory?: number | string
  cpus?: number
  restart?: string
  network?: string
  user?: string
  workingDir?: string
  tty?: boolean
  init?: boolean
  stopSignal?: string
  stopTimeout?: number
}

const absolutePath = Joi.string()
  .max(4096)
  .pattern(/^\/[^\0]*$/)
  .messages(expected('an absolute path'))

// A NUL ends a string for the kernel: Docker takes it, and the container cannot be started.
const text = Joi.string()
  .allow('')
  .pattern(/^[^\0]*$/)
  .messages(expected('a string without a NUL character'))

const command = Joi.alternatives(
  Joi.string()
    .pattern(/^[^\0]*$/)
    .pattern(/\S/),
  Joi.array().items(text),
).messages(expected('a list of arguments, or one string, which is split at spaces'))

/** Environment variables: an object, or a list of `NAME=value`. */
export const env = Joi.alternatives(
  Joi.object().pattern(/^[^=\0]+$/, text),
  Joi.array().items(
    Joi.string()
      .pattern(/^[^=\0]+=[^\0]*$/)
      .messages(expected('NAME=value')),
  ),
).messages({
  ...expected('an object of names and string values, or a list of NAME=value'),
  'object.unknown': 'expected a name without "="',
})

/** `deblox.*` is how Deblox knows its own containers: nobody else may write it. */
export const labels = Joi.object()
  .pattern(/^(?!deblox\.)./, text)
  .messages({
    ...expected('an object of names and string values'),
    'object.unknown': 'expected a label that does not begin with "deblox.", which is reserved',
  })

const mount = Joi.object<Mount>({
  type: Joi.string().valid('bind', 'volume', 'tmpfs').default('volume').messages(expected('bind, volume or tmpfs')),
  source: Joi.when('type', {
    switch: [
      { is: 'bind', then: absolutePath.required() },
      { is: 'tmpfs', then: Joi.forbidden().messages(expected('no source, because a tmpfs has none')) },
    ],
    otherwise: dockerName,
  }),
  target: absolutePath.required(),
  readOnly: flag,
})

/** The fields of a spec, each optional: a request's own fields go over its template's. */
export const containerSpec = {
  image: image.description('The image to run, e.g. `ubuntu:24.04`'),
  cmd: command.description('The command: a list of arguments, or one string, which is split at spaces'),
  entrypoint: command.description("Replaces the image's entrypoint"),
  env: env.description('Environment: `{"NAME": "value"}` or `["NAME=value"]`'),
  labels: labels.description('Labels; `deblox.` is reserved'),
  ports,
  mounts: Joi.array().items(mount).max(1000).description('Mounts as `docker run --mount` takes them'),
  memory: memory.description('Memory limit: bytes, or a size such as `512m`'),
  cpus,
  restart: restartPolicy,
  network: Joi.string()
    .max(255)
    .pattern(/^(?:container:)?[a-zA-Z0-9][a-zA-Z0-9_.-]*$/)
    .messages(expected('bridge, host, none, container:NAME, or the name of a network'))
    .description('The network to join: `bridge`, `host`, `none`, or a network by name'),
  user: text.max(255).disallow('').description('User, as `name`, `uid` or `uid:gid`'),
  workingDir: absolutePath.description('Working directory of the command'),
  tty: flag.description('Give the container a terminal'),
  init: flag.description('Run an init process as PID 1, so that signals and children are handled'),
  stopSignal,
  stopTimeout,
} satisfies Joi.PartialSchemaMap<ContainerSpec>

/** What a template may hold: a spec with its image. */
export const templateSpec = Joi.object<ContainerSpec>({ ...containerSpec, image: containerSpec.image.required() })

/** A template's name: part of a path and of a file's name. */
export const templateName = Joi.string()
  .max(64)
  .pattern(/^[a-z0-9][a-z0-9_-]*$/)
  .messages(expected('at most 64 lower-case letters, digits, _ and -, a letter or digit first'))
  .description('The name of a template')

/** The body of Docker's POST /containers/create for a validated spec. */
export function dockerBody(spec: ContainerSpec): ContainerCreateOptions {
  const published = spec.ports?.length ? publish(spec.ports) : undefined
  return withoutUndefined({
    Image: spec.image,
    Cmd: words(spec.cmd),
    Entrypoint: words(spec.entrypoint),
    Env: environment(spec.env),
    Labels: spec.labels,
    User: spec.user,
    WorkingDir: spec.workingDir,
    Tty: spec.tty,
    OpenStdin: spec.tty,
    StopSignal: spec.stopSignal,
    StopTimeout: spec.stopTimeout,
    ExposedPorts: published?.exposed,
    HostConfig: withoutUndefined({
      PortBindings: published?.bindings,
      Mounts: spec.mounts?.map(dockerMount),
      Memory: spec.memory === undefined ? undefined : bytes(spec.memory),
      NanoCpus: spec.cpus === undefined ? undefined : nanoCpus(spec.cpus),
      RestartPolicy: spec.restart === undefined ? undefined : dockerRestartPolicy(spec.restart),
      NetworkMode: spec.network,
      Init: spec.init,
    }),
  })
}

/** Docker counts CPUs in billionths. */
export const nanoCpus = (count: number): number => Math.round(count * 1e9)

function dockerMount({ type, source, target, readOnly }: Mount): MountSettings {
  return { Type: type, Source: source ?? '', Target: target, ReadOnly: readOnly ?? false }
}

function words(value: string | string[] | undefined): string[] | undefined {
  return typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : value
}

/** Environment variables as Docker takes them. */
export function environment(value: ContainerSpec['env']): string[] | undefined {
  if (value === undefined || Array.isArray(value)) return value
  return Object.entries(value).map(([name, content]) => `${name}=${content}`)
}
