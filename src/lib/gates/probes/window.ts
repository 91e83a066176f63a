/** Whether nodes may be taken out at this time. */
import type { Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import { closesAt } from '../maintenance-window.ts'
import type { GatePorts } from '../ports.ts'

export function windowProbes(ports: Pick<GatePorts, 'now'>): Record<'within-window', Probe> {
  return {
    async 'within-window'({ days, from = '', hours, timeZone = '' }): Promise<Verdict> {
      const window = { days: listOf(days), from, hours: Number(hours), timeZone }
      const closes = closesAt(window, ports.now())
      if (closes !== undefined)
        return { status: 'pass', detail: `the window is open until ${new Date(closes).toISOString()}` }
      return {
        status: 'fail',
        detail: `outside the maintenance window: ${days} from ${from} for ${hours} h, ${timeZone}`,
        next: 'go on when it is open, or say why it can not wait: --now --reason TEXT',
        // Waiting for it here would hold the lock for days.
        final: true,
      }
    },
  }
}
