import { commonVariables, readEnvironment } from '@deblox/fleet/environment'
import Joi from 'joi'

export interface ApiConfig {
  REDIS_URL: string
  DEBLOX_PREFIX: string
  LOG_LEVEL: string
  AUTH: 'on' | 'off'
  PORT: number
  HOST: string
  DEBLOX_MAX_QUEUE_DEPTH: number
  DEBLOX_MAX_JOBS_PER_OWNER: number
}

const count = Joi.number().integer().min(1).max(10_000_000)

/** Reads the API's variables once. Throws one line that names the variable, what was expected and what arrived. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ApiConfig {
  return readEnvironment<ApiConfig>(env, {
    ...commonVariables,
    PORT: Joi.number().integer().min(0).max(65_535).default(8080),
    HOST: Joi.string().hostname().default('127.0.0.1'),
    DEBLOX_MAX_QUEUE_DEPTH: count.default(10_000),
    DEBLOX_MAX_JOBS_PER_OWNER: count.default(5_000),
  })
}
