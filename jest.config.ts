/** @jest-config-loader esbuild-register */
import type { Config } from 'jest'

const esModules = 'jose|openid-client|oauth4webapi'

const shared = {
  // Not the whole repository: script/up keeps engines' data in it.
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/test'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
    // Node 20 requires ES modules by itself; jest's own loader does not.
    [`/node_modules/(${esModules})/.+\\.js$`]: [
      '@swc/jest',
      { jsc: { target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esModules})/)`],
  // Workspace libraries resolve to their source, so that a test never runs a stale build.
  moduleNameMapper: { '^@deblox/(actions|fleet)/(.*)$': '<rootDir>/libs/$1/src/$2.ts' },
} satisfies Config

const config: Config = {
  // The tests of a fleet share three engines, and each leaves them empty.
  maxWorkers: 1,
  // Those without engines run beside them, on as little as two cores: what a test waits for has a deadline of its own.
  testTimeout: 20_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{libs,apps}/*/src/**/*.test.ts', '<rootDir>/test/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'fleet',
      testMatch: ['<rootDir>/test/{integration,e2e,fuzz}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
    {
      ...shared,
      displayName: 'faults',
      testMatch: ['<rootDir>/test/faults/**/*.test.ts'],
      // The same files: jest runs each of them once.
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
  ],
}

export default config
