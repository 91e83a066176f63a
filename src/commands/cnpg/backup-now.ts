import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { backupOf } from '../../lib/ops/cnpg.ts'
import type { KubeObject } from '../../lib/types.ts'

/** A filter for the plan of `cnpg backup`, where a person would have to install jq. */
export const cnpgBackupNow = defineCommand({
  path: 'cnpg backup-now',
  summary: 'Make a Backup out of the ScheduledBackup on stdin',
  effect: 'local',
  scope: 'none',
  args: { name: 'what it is called' },
  examples: [
    'kubectl -n databases get scheduledbackup postgres -o json | k8sops cnpg backup-now before-upgrade | kubectl apply -f -',
  ],
  async run({ args, out }) {
    out(JSON.stringify(backupOf(JSON.parse(await text(process.stdin)) as KubeObject, args.name ?? '')))
    return undefined
  },
})
