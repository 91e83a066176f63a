import { text } from 'node:stream/consumers'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { drillApp, drillNamespace, drillRecord } from '../../lib/ops/drill-objects.ts'
import type { KubeObject } from '../../lib/types.ts'

/** Filters for the plan of `backup verify`, where a person would have to install jq. */
const fromStdin = async <T>(): Promise<T> => JSON.parse(await text(process.stdin)) as T

/** kubectl applies a List as it applies its items. */
const listOf = (items: object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

export const backupDrillNamespace = defineCommand({
  path: 'backup drill-namespace',
  summary: "Make a drill's namespace, its quota and its policy out of the Namespace on stdin",
  effect: 'local',
  scope: 'none',
  args: { name: 'what it is called' },
  options: [
    { flags: '--token <token>', description: 'id of the drill' },
    { flags: '--storage <size>', description: 'size of the claim that is restored' },
  ],
  examples: [
    'kubectl get namespace business -o json | k8sops backup drill-namespace drill-business-odoo --token now --storage 20Gi | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const [token, storage] = [textOption(options.token), textOption(options.storage)]
    if (!token || !storage) throw new UsageError('--token and --storage are needed')
    out(listOf(drillNamespace(await fromStdin<KubeObject>(), args.name ?? '', token, storage)))
    return undefined
  },
})

export const backupDrillApp = defineCommand({
  path: 'backup drill-app',
  summary: 'Make what is started on a restored volume out of the workload on stdin',
  effect: 'local',
  scope: 'none',
  options: [
    { flags: '--to <namespace>', description: 'its namespace' },
    { flags: '--claim <name>', description: 'claim that it mounts' },
    { flags: '--check <command>', description: 'for a shell, in place of its own command and probes' },
  ],
  examples: [
    'kubectl -n business get deployment odoo -o json | k8sops backup drill-app --to drill-business-odoo --claim odoo | kubectl apply -f -',
  ],
  async run({ options, out }) {
    const [namespace, claim, check] = [textOption(options.to), textOption(options.claim), textOption(options.check)]
    if (!namespace || !claim) throw new UsageError('--to and --claim are needed')
    const where = { namespace, claim, ...(check === undefined ? {} : { check }) }
    out(JSON.stringify(drillApp(await fromStdin<KubeObject>(), where)))
    return undefined
  },
})

export const backupDrillRecord = defineCommand({
  path: 'backup drill-record',
  summary: 'Make the record of a drill out of the List of what is in its namespace, on stdin',
  effect: 'local',
  scope: 'none',
  args: { app: 'NAMESPACE/NAME of the ReplicationSource' },
  options: [
    { flags: '--token <token>', description: 'id of the drill' },
    { flags: '--at <time>', description: 'when it began (RFC 3339)' },
    { flags: '--restore-sec <seconds>', description: 'how long the mover may take' },
    { flags: '--ready-sec <seconds>', description: 'how long the application may take' },
    { flags: '--snapshot <id>', description: 'the newest snapshot, as its source says' },
    { flags: '--bytes <n>', description: 'what that holds' },
  ],
  examples: [
    'kubectl -n drill-business-odoo get replicationdestinations,pods,jobs -o json | k8sops backup drill-record business/odoo --token now --at 2026-11-30T06:00:00Z --restore-sec 60 --ready-sec 60',
  ],
  async run({ args, options, out, now }) {
    const [token, at, snapshot] = [textOption(options.token), textOption(options.at), textOption(options.snapshot)]
    const limits = { restoreSec: Number(options.restoreSec), readySec: Number(options.readySec) }
    if (!token || !at || Number.isNaN(limits.restoreSec) || Number.isNaN(limits.readySec))
      throw new UsageError('--token, --at, --restore-sec and --ready-sec are needed')
    const newest = snapshot === undefined ? {} : { newest: { snapshot, bytes: Number(options.bytes) } }
    const drill = { app: args.app ?? '', token, at, limits, ...newest }
    out(JSON.stringify(drillRecord(await fromStdin<{ items: KubeObject[] }>(), drill, now())))
    return undefined
  },
})
