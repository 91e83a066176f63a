import type { CommandContext } from '../../lib/cli/define.ts'

/** They live a year (talosctl and talhelper 1.12/3.1), and nobody notices until nothing works any more. */
export const warnDays = '30'

/** Says until when our certificates for both APIs are valid; louder when it is less than 30 days. */
export async function noteCertificates(context: CommandContext): Promise<void> {
  const gates = await context.gates()
  const verdict = await gates.evaluate(
    { gate: 'client-certificates-valid', params: { days: warnDays } },
    context.signal,
  )
  if (verdict.status === 'pass') return context.note(`certificates: ${verdict.detail}`)
  context.note(`WARNING: ${verdict.detail}${verdict.next ? `\n  next: ${verdict.next}` : ''}`)
}
