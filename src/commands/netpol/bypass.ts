import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { forOption, untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { UsageError } from '../../lib/errors.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import {
  bypassFacts,
  bypassName,
  netpolRunbook,
  planBypass,
  planRestore,
  refuseForeignBypass,
} from '../../lib/ops/netpol-bypass.ts'
import { holdBasis } from '../flux/holding.ts'
import { observeNamespaces } from './observe.ts'

/** A namespace that has to be open for longer has a policy to be written. */
const longestSec = 24 * 3600

export const netpolBypass = defineCommand({
  path: 'netpol bypass',
  summary: 'Leave a namespace out of the default deny for a while, to look for what is denied',
  description:
    'Labels the namespace so that the default-deny policy does not select it, and writes on it who, why and until when. It is a hold: `holds list` shows it, `holds expire` and `netpol restore` end it. What an application closes for itself (component netpol/default-deny) stays closed. A day at most.',
  effect: 'write',
  args: { namespace: 'namespace that is opened' },
  options: [
    forOption('30m'),
    { flags: '--reason <text>', description: 'why; it stands on the namespace and in `holds list` (required)' },
    { flags: '--force', description: 'also where somebody else has a bypass', default: false },
  ],
  examples: [
    'k8sops netpol bypass business --for 30m --reason "odoo times out, ticket 4711" --cluster apps',
    'k8sops netpol bypass business --reason "is it a policy at all?" --cluster apps --dry-run',
  ],
  runbook: netpolRunbook,
  async plan(context) {
    const { options, args } = context
    const reason = String(options.reason ?? '').trim()
    if (reason === '') throw new UsageError('--reason is missing: a bypass that nobody can explain stays for good')
    if (parseDurationSec(String(options.for)) > longestSec)
      throw new UsageError(`--for ${String(options.for)} is longer than a day`, {
        next: 'write a policy that allows what is needed: docs/runbooks/network-policies.md',
      })
    const [cluster, target, seen] = await Promise.all([context.cluster(), context.target(), observeNamespaces(context)])
    const now = Date.now()
    const namespace = args.namespace ?? ''
    const note = {
      id: operationToken('netpol.bypass', new Date(now)),
      owner: operatorName(),
      reason,
      since: wholeSeconds(now),
      until: untilOf(options.for, now),
      scope: bypassName({ namespace }),
    }
    const basis = await holdBasis(context, { bypassed: bypassFacts(seen.bypassed) })
    return planBypass({ cluster, target, note, namespace, ...seen, force: options.force === true }, now, basis)
  },
})

export const netpolRestore = defineCommand({
  path: 'netpol restore',
  summary: 'End the bypass of namespaces: the default deny holds there again',
  description:
    'Ends what you have opened yourself. What somebody else has, or nobody left a note of, is refused (exit 3) unless --force.',
  effect: 'write',
  args: { 'namespace...': 'namespaces that are closed again' },
  options: [{ flags: '--force', description: "also somebody else's", default: false }],
  examples: ['k8sops netpol restore business --cluster apps'],
  runbook: netpolRunbook,
  async plan(context) {
    const { options, rest } = context
    const names = rest.namespace ?? []
    const [cluster, target, seen] = await Promise.all([context.cluster(), context.target(), observeNamespaces(context)])
    const strangers = names.filter((name) => !seen.namespaces.includes(name))
    if (strangers.length > 0) throw new UsageError(`cluster ${cluster.name} has no namespace ${strangers.join(', ')}`)
    const now = Date.now()
    const own = seen.bypassed.filter(({ namespace }) => names.includes(namespace))
    if (options.force !== true) refuseForeignBypass(own, operatorName(), now)
    const basis = await holdBasis(context, { bypassed: bypassFacts(seen.bypassed) })
    return planRestore({ cluster, target, namespaces: names, bypassed: seen.bypassed }, now, basis)
  },
})
