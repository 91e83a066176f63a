/** The environment of `lab exec`: the operator's own, with everything that could reach the real clusters replaced. */
import { delimiter, join } from 'node:path'
import type { LabRecord } from './record.ts'

/** The directory of this program: helmfiles call `k8sops`, and so does whoever works in the lab's shell. */
const ownBin = join(import.meta.dirname, '../../../bin')

/** Credentials of the real world: commands in a lab have no business with them. */
const foreign = /^(SOPS_|OP_|AWS_|GOOGLE_|AZURE_|KUBE|TALOS|HELM_|HELMFILE_|K8SOPS_|VAULT_|BAO_|CF_|CLOUDFLARE_)/

export function labShellEnvironment(record: LabRecord, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(own).filter(([name]) => !foreign.test(name))
  return {
    ...Object.fromEntries(kept),
    ...record.env,
    PATH: [ownBin, record.env.PATH].filter(Boolean).join(delimiter),
    // What `k8sops` needs to mean this lab, typed without any option. Its repository is the real one: the copy's
    // addresses break rules on purpose.
    K8SOPS_LAB: 'true',
    K8SOPS_LAB_NAME: record.name,
    K8SOPS_CLUSTER: record.cluster,
    K8SOPS_REPO: record.source,
    ...(own.K8SOPS_CACHE === undefined ? {} : { K8SOPS_CACHE: own.K8SOPS_CACHE }),
  }
}
