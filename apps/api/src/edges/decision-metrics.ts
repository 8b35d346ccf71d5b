import { errorTable } from '@deblox/actions/errors'
import type { AuditCounts } from '@deblox/fleet/audit'
import type { AuditEntry } from '@deblox/fleet/audit-chain'
import { Counter, Gauge, type Registry } from 'prom-client'

export interface DecisionMetrics {
  /** Counts a decision that the audit has recorded, if it is a denial. */
  onDecision: (entry: Pick<AuditEntry, 'decision' | 'via' | 'code'>) => void
  /** From then on tells how the audit does. */
  watchAudit: (counts: () => AuditCounts) => void
}

/** Figures of what was denied, and of whether that is written down. */
export function decisionMetrics(registry: Registry): DecisionMetrics {
  const registers = [registry]
  const denied = new Counter({
    name: 'deblox_denied_total',
    help: 'Requests that this replica denied, by code',
    labelNames: ['code'],
    registers,
  })
  const refusedByDocks = new Counter({
    name: 'deblox_dock_refusals_total',
    help: 'Jobs that docks refused to do, by code, as far as this replica took them into the audit; bad_signature: forged ones',
    labelNames: ['code'],
    registers,
  })
  // An alarm on it must not wait for the first one to make it exist.
  refusedByDocks.inc({ code: 'bad_signature' }, 0)
  return {
    onDecision({ decision, via, code = 'other' }) {
      if (decision === 'allow') return
      // Whoever can write to Redis says what docks refused: he must not make a row for each of his words.
      const known = Object.hasOwn(errorTable, code) ? code : 'other'
      ;(via === 'worker' ? refusedByDocks : denied).inc({ code: known })
    },
    watchAudit(counts) {
      const tell = (name: string, help: string, which: keyof AuditCounts): void => {
        const gauge = new Gauge({
          name,
          help,
          registers,
          collect() {
            gauge.set(counts()[which])
          },
        })
      }
      tell('deblox_audit_written', 'Decisions that this replica has written to the audit chain', 'written')
      tell('deblox_audit_waiting', 'Decisions that wait to be written to the audit chain', 'waiting')
      tell('deblox_audit_failures', 'Attempts to write to the audit chain that failed and are made again', 'failures')
      tell('deblox_audit_lost', 'Decisions that are on standard output only, because too many waited', 'lost')
    },
  }
}
