import { Registry } from 'prom-client'
import { decisionMetrics } from './decision-metrics'

test('denials are counted by code, those of docks for themselves, and what is allowed is not', async () => {
  const registry = new Registry()
  const { onDecision } = decisionMetrics(registry)
  onDecision({ decision: 'allow', via: 'token' })
  onDecision({ decision: 'deny', via: 'token', code: 'forbidden' })
  onDecision({ decision: 'deny', via: null, code: 'unauthenticated' })
  onDecision({ decision: 'deny', via: 'worker', code: 'bad_signature' })
  onDecision({ decision: 'deny', via: 'worker', code: 'whatever somebody wrote' })
  const figures = await registry.metrics()
  expect(figures.split('\n').filter((line) => line.startsWith('deblox'))).toEqual([
    'deblox_denied_total{code="forbidden"} 1',
    'deblox_denied_total{code="unauthenticated"} 1',
    'deblox_dock_refusals_total{code="bad_signature"} 1',
    'deblox_dock_refusals_total{code="other"} 1',
  ])
})

test('how the audit does is told as it is when somebody looks', async () => {
  const registry = new Registry()
  const counts = { written: 5, failures: 2, lost: 1, waiting: 3 }
  decisionMetrics(registry).watchAudit(() => counts)
  counts.waiting = 4
  const figures = await registry.metrics()
  expect(figures).toMatch(/^deblox_audit_written 5$/m)
  expect(figures).toMatch(/^deblox_audit_waiting 4$/m)
  expect(figures).toMatch(/^deblox_audit_failures 2$/m)
  expect(figures).toMatch(/^deblox_audit_lost 1$/m)
})
