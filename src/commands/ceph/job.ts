import { text } from 'node:stream/consumers'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { cephJobObject } from '../../lib/ops/ceph-job-objects.ts'
import { type CephJobVerb, cephJobVerbs } from '../../lib/tools/ceph-job.args.ts'
import type { KubeObject } from '../../lib/types.ts'

/** A filter for the plans of `ceph osd remove` and `ceph expand`. */
export const cephJob = defineCommand({
  path: 'ceph job',
  summary: "Make a Job that asks Ceph, or has it do something, out of the Deployment of Rook's operator on stdin",
  effect: 'local',
  scope: 'none',
  args: { verb: cephJobVerbs.join(', ') },
  options: [
    { flags: '--namespace <name>', description: 'of the CephCluster' },
    { flags: '--subject <name>', description: 'what it is about: osd-3, expand' },
    { flags: '--token <token>', description: 'id of the operation' },
    { flags: '--osd <number>', description: 'the OSD; none for settle' },
  ],
  examples: [
    'kubectl -n rook-ceph get deployment rook-ceph-operator -o json | k8sops ceph job ask --namespace rook-ceph --subject osd-3 --token ceph.osd.remove/now-3f9c --osd 3 | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const [namespace, subject, token] = [options.namespace, options.subject, options.token].map(textOption)
    const osd = textOption(options.osd)
    const verb = args.verb as CephJobVerb
    if (!cephJobVerbs.includes(verb)) throw new UsageError(`${args.verb} is none of ${cephJobVerbs.join(', ')}`)
    if (!namespace || !subject || !token) throw new UsageError('--namespace, --subject and --token are needed')
    if (verb === 'settle' ? osd !== undefined : !/^\d+$/.test(osd ?? ''))
      throw new UsageError(verb === 'settle' ? 'settle is about no OSD' : '--osd has to be the number of an OSD')
    const job = { namespace, subject, verb, token, ...(osd === undefined ? {} : { osd }) }
    out(JSON.stringify(cephJobObject(job, JSON.parse(await text(process.stdin)) as KubeObject)))
    return undefined
  },
})
