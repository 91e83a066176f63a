import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { keepSnapshot } from '../../lib/tools/snapshot-file.ts'

export const talosEtcdKeep = defineCommand({
  path: 'talos etcd keep',
  summary: 'Put an etcd snapshot where snapshots are kept, with its digest beside it',
  effect: 'local',
  scope: 'none',
  args: { snapshot: 'file that talosctl wrote', destination: 'where to keep it' },
  options: [{ flags: '--keep <count>', description: 'how many snapshots stay there', default: '10' }],
  examples: ['talosctl -n 10.25.13.11 etcd snapshot /tmp/db | k8sops talos etcd keep /tmp/db /mnt/backup/apps.db'],
  runbook: 'docs/runbooks/talos.md',
  async run({ args, options, cwd, note }) {
    // Behind a shell's pipe this begins together with talosctl; its end of output is the end of its work.
    const said = process.stdin.isTTY ? '' : await text(process.stdin)
    const destination = resolve(cwd, args.destination!)
    const { snapshot, removed } = await keepSnapshot(resolve(cwd, args.snapshot!), destination, Number(options.keep))
    for (const line of said.split('\n').filter(Boolean)) note(line)
    note(`${destination}: ${snapshot.bytes} bytes, sha256 ${snapshot.sha256}`)
    if (removed.length > 0) note(`older ones are gone: ${removed.join(', ')}`)
    return undefined
  },
})
