/** Steps of the small Talos commands, which change files of this machine only. */
import { layout } from '../repo/layout.ts'
import { storeEncryptedArgs } from '../tools/filters.args.ts'
import { encryptStdinArgs } from '../tools/sops.args.ts'
import { gensecretArgs } from '../tools/talhelper.args.ts'
import type { Check, Cluster, ClusterNode, Step } from '../types.ts'
import { mergeKubeconfig } from './bootstrap-cluster.ts'
import { type BootstrapInput, bootstrapRunbook, check } from './bootstrap-input.ts'
import { generateConfigs } from './bootstrap-machines.ts'

/**
 * The only way to new cluster secrets. They go from talhelper to sops in memory and reach the disk encrypted; a file that
 * is there already is never replaced, because the identity of a running cluster is in it.
 */
export function gensecretStep(cluster: Cluster): Step {
  const file = layout.talsecret(cluster.name)
  return {
    id: 'talsecret/generate',
    title: `Make the Talos secrets of cluster ${cluster.name}`,
    require: [check('tools-present', { tools: 'talhelper,sops,op' }), check('talsecret-absent')],
    action: { kind: 'exec', pipeline: [gensecretArgs(), encryptStdinArgs(file), storeEncryptedArgs(file)] },
    verify: [check('talsecret-decrypts')],
    interrupt: 'after',
    timeoutSec: 60,
    runbook: bootstrapRunbook,
  }
}

/** Where talhelper reads a cluster's configs from, and where it puts them. */
export const generatedPaths = (cluster: string) => ({
  talconfig: layout.talconfig(cluster),
  talsecret: layout.talsecret(cluster),
  out: layout.clusterconfig(cluster),
})

/** What must hold before configs are made for machines that may be running: the secrets are there, and are theirs. */
export function secretsChecks(nodes: ClusterNode[]): Check[] {
  return [
    check('tools-present', { tools: 'talhelper,talosctl,op' }),
    check('talsecret-decrypts'),
    check('machines-not-foreign', { nodes: nodes.map(({ address }) => address).join(',') }),
  ]
}

export function genStep(input: Pick<BootstrapInput, 'cluster' | 'ageKey'>): Step {
  return { ...generateConfigs(input), require: secretsChecks(input.cluster.nodes) }
}

export function kubeconfigStep(input: Pick<BootstrapInput, 'cluster' | 'target'>): Step {
  const require = [check('tools-present', { tools: 'talosctl,op' }), check('context-not-foreign')]
  return { ...mergeKubeconfig(input), require }
}
