import { hostname } from '@deblox/actions/schemas'
import { commonVariables, readEnvironment } from '@deblox/fleet/environment'
import Joi from 'joi'
import { machineName } from './machine-name'

export interface WorkerConfig {
  REDIS_URL: string
  DEBLOX_PREFIX: string
  LOG_LEVEL: string
  DOCKER_HOST: string
  DOCK_HOSTNAME: string
  DEBLOX_STATE_DIR: string
  /** A JSON Web Key set of the API's public keys; without it those that are seen first are believed. */
  DEBLOX_API_KEYS?: string
  /** Where the dock's policy is; without it the usual place, where there may be none. */
  DEBLOX_DOCK_POLICY?: string
}

/** Reads the worker's variables once. Throws one line that names the variable, what was expected and what arrived. */
export async function readConfig(env: NodeJS.ProcessEnv = process.env): Promise<WorkerConfig> {
  return readEnvironment<WorkerConfig>(env, {
    ...commonVariables,
    DOCKER_HOST: Joi.string()
      .pattern(/^unix:\/\/\/.+$/)
      .default('unix:///var/run/docker.sock')
      .messages({ 'string.pattern.base': 'expected unix:// and the absolute path of the daemon’s socket' }),
    DEBLOX_STATE_DIR: Joi.string()
      .pattern(/^\//)
      .default('/var/lib/deblox')
      .messages({ 'string.pattern.base': 'expected the absolute path of a folder' }),
    DEBLOX_API_KEYS: Joi.string()
      .pattern(/^\//)
      .messages({ 'string.pattern.base': 'expected the absolute path of a file' }),
    DEBLOX_DOCK_POLICY: Joi.string()
      .pattern(/^\//)
      .messages({ 'string.pattern.base': 'expected the absolute path of a file' }),
    DOCK_HOSTNAME: hostname.default(env['DOCK_HOSTNAME'] ? '' : await machineName()),
  })
}
