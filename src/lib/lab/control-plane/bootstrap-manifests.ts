/**
 * What Talos creates in every new cluster (controllers/k8s/manifest.go, v1.12.0). Where the machine config leaves CoreDNS
 * or kube-proxy on, they stand here as well, because a chart of the same name then meets objects that it doesn't own.
 */
import type { Manifest } from '../kube/writer.ts'
import type { MachineConfig } from '../types.ts'

interface ClusterFields {
  coreDNS?: { disabled?: boolean; image?: string }
  proxy?: { disabled?: boolean; image?: string }
}

export function bootstrapManifests(config: MachineConfig): Manifest[] {
  const fields = (config.document.cluster ?? {}) as ClusterFields
  return [
    binding('system-bootstrap-node-bootstrapper', 'system:node-bootstrapper', [
      'system:bootstrappers:nodes',
      'system:nodes',
    ]),
    binding(
      'system-bootstrap-approve-node-client-csr',
      'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
      ['system:bootstrappers:nodes'],
    ),
    binding('system-bootstrap-node-renewal', 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', [
      'system:nodes',
    ]),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'system:talos-nodes', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
      rules: [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] }],
    },
    binding('system:talos-nodes', 'system:talos-nodes', ['system:nodes']),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kubeconfig-in-cluster', namespace: 'kube-system' },
      data: { kubeconfig: inClusterKubeconfig(config.endpoint) },
    },
    ...(fields.coreDNS?.disabled
      ? []
      : coreDns(config, fields.coreDNS?.image ?? 'registry.k8s.io/coredns/coredns:v1.13.2')),
    ...(fields.proxy?.disabled
      ? []
      : kubeProxy(fields.proxy?.image ?? `registry.k8s.io/kube-proxy:${config.kubernetesVersion}`)),
  ]
}

function binding(name: string, role: string, groups: string[]): Manifest {
  const apiGroup = 'rbac.authorization.k8s.io'
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects: groups.map((group) => ({ kind: 'Group', name: group, apiGroup })),
  }
}

function inClusterKubeconfig(server: string): string {
  const account = '/var/run/secrets/kubernetes.io/serviceaccount'
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, 'certificate-authority': `${account}/ca.crt` } }],
    users: [{ name: 'service-account', user: { tokenFile: `${account}/token` } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'service-account' } }],
    'current-context': 'local',
  })
}

const kubeSystem = (name: string, labels: Record<string, string> = {}) => ({ name, namespace: 'kube-system', labels })

function coreDns(config: MachineConfig, image: string): Manifest[] {
  const selector = { 'k8s-app': 'kube-dns' }
  const subnet = config.serviceSubnets[0] ?? ''
  const clusterIP = subnet.split('/')[0]?.replace(/\d+$/, '10') ?? ''
  const dns = (protocol: string, name: string) => ({ name, port: 53, protocol })
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: kubeSystem('coredns') },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: kubeSystem('coredns'),
      data: { Corefile: '.:53 {\n    errors\n}\n' },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: kubeSystem('coredns', { ...selector, 'kubernetes.io/name': 'CoreDNS' }),
      spec: {
        replicas: 2,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: {
            serviceAccountName: 'coredns',
            priorityClassName: 'system-cluster-critical',
            tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }],
            containers: [{ name: 'coredns', image, resources: { requests: { cpu: '100m', memory: '70Mi' } } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: kubeSystem('kube-dns', { ...selector, 'kubernetes.io/name': 'CoreDNS' }),
      spec: { selector, clusterIP, ports: [dns('UDP', 'dns'), dns('TCP', 'dns-tcp')] },
    },
  ]
}

function kubeProxy(image: string): Manifest[] {
  const selector = { 'k8s-app': 'kube-proxy' }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: kubeSystem('kube-proxy') },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: kubeSystem('kube-proxy', { tier: 'node', ...selector }),
      spec: {
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: {
            hostNetwork: true,
            serviceAccountName: 'kube-proxy',
            priorityClassName: 'system-node-critical',
            tolerations: [{ operator: 'Exists' }],
            containers: [{ name: 'kube-proxy', image }],
          },
        },
      },
    },
  ]
}
