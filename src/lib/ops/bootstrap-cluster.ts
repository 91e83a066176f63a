/** Bootstrap's second part: the way to the API server, nodes, first secrets, CRDs. */

import { mergeKubeconfigArgs, selectKindArgs } from '../tools/filters.args.ts'
import { templateArgs } from '../tools/helmfile.args.ts'
import { applyStdinArgs } from '../tools/kubectl.args.ts'
import { injectArgs } from '../tools/op.args.ts'
import { kubeconfigArgs } from '../tools/talosctl.args.ts'
import type { Step } from '../types.ts'
import { type BootstrapInput, bootstrapRunbook, check, whileApiIsAway } from './bootstrap-input.ts'

export function clusterSteps(input: BootstrapInput): Step[] {
  const { cluster, params } = input
  const controlPlanes = cluster.nodes.filter((node) => node.controlPlane)
  // Its port is the cluster's; the nodes' addresses stand in every API server's certificate.
  const port = new URL(cluster.endpoint).port || '443'
  const servers = [...controlPlanes.map(({ address }) => `https://${address}:${port}`), cluster.endpoint]
  const names = cluster.nodes.map(({ hostname }) => hostname).join(',')
  return [
    mergeKubeconfig(input),
    {
      id: 'api/ready',
      title: 'Wait until the API server is ready on every control plane and on the VIP',
      action: { kind: 'wait' },
      verify: [check('api-ready', { servers: servers.join(',') }), check('cluster-identity')],
      interrupt: 'now',
      timeoutSec: params.nodeTimeoutSec,
      runbook: bootstrapRunbook,
    },
    {
      id: 'nodes/registered',
      title: `Wait until all ${cluster.nodes.length} nodes are registered`,
      action: { kind: 'wait' },
      // Not Ready yet: that needs the CNI.
      verify: [check('nodes-registered', { names })],
      interrupt: 'now',
      timeoutSec: params.nodeTimeoutSec,
      runbook: bootstrapRunbook,
    },
    firstSecrets(input),
    crds(input),
  ]
}

/** The step of `k8sops talos kubeconfig`, too. */
export function mergeKubeconfig({ cluster, target }: Pick<BootstrapInput, 'cluster' | 'target'>): Step {
  const first = cluster.nodes.find((node) => node.controlPlane)
  const address = first?.address ?? ''
  return {
    id: 'kubeconfig/merge',
    title: `Put context ${target.context} into your kubeconfig`,
    unless: [check('kubeconfig-merged', { server: cluster.endpoint })],
    action: {
      kind: 'exec',
      pipeline: [kubeconfigArgs(target.talosconfig, address), mergeKubeconfigArgs(target.context)],
      retry: { while: ['code = Unavailable', 'connection refused'], everySec: 2 },
    },
    verify: [check('kubeconfig-merged', { server: cluster.endpoint })],
    interrupt: 'now',
    timeoutSec: 120,
    runbook: bootstrapRunbook,
  }
}

/** What External Secrets and Flux need before they can fetch anything themselves. Piped, never on disk. */
function firstSecrets({ cluster, target, files }: BootstrapInput): Step {
  const present = files.secrets.map(({ namespace, name, keys }) =>
    check('secret-present', { namespace, name, keys: keys.join(',') }),
  )
  return {
    id: 'secrets/apply',
    title: 'Bring the first secrets from 1Password',
    unless: present,
    action: {
      kind: 'exec',
      pipeline: [injectArgs(files.secretsTemplate), applyStdinArgs(target.context)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: present,
    interrupt: 'now',
    timeoutSec: 120,
    runbook: 'docs/prerequisites.md',
  }
}

/** Before anything that has objects of these kinds; taken over from whoever brought an older one. */
function crds({ cluster, target, files }: BootstrapInput): Step {
  const selection = { file: files.crdsHelmfile, environment: cluster.name, context: target.context }
  const established = [
    check('crd-groups-established', { groups: files.crdGroups.join(',') }),
    ...(files.crds.length > 0 ? [check('crds-established', { names: files.crds.join(',') })] : []),
  ]
  return {
    id: 'crds/apply',
    title: `Apply the CRDs of ${files.crdGroups.length} API groups`,
    // Groups alone can't tell a half-applied set from a whole one: without names only Flux, their later owner, is a reason to skip.
    unless: files.crds.length > 0 ? established : [check('flux-instance-ready')],
    action: {
      kind: 'exec',
      pipeline: [
        templateArgs(selection),
        selectKindArgs('CustomResourceDefinition'),
        applyStdinArgs(target.context, { forceConflicts: true }),
      ],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: established,
    interrupt: 'now',
    timeoutSec: 300,
    runbook: bootstrapRunbook,
  }
}
