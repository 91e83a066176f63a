/**
 * The argv of the control plane's processes: what Talos renders (controllers/k8s/control_plane_static_pod.go, v1.12.0),
 * with the lab's addresses, without leader election (there is one of each) and with a faster look at nodes.
 * Left out: the audit log (nobody reads it here) and the kubelet client certificate (kwok's kubelets serve no API).
 */
import { join } from 'node:path'
import type { LabSpec, MachineConfig } from '../types.ts'
import { apiPort, clusterDocument, controlPlaneDir, type ExtraArgs } from './configuration.ts'

export const etcdFrontPort = 2379
/** Nodes that carry this label are kept alive by kwok; without it their lease runs out. kwok's other selectors don't stop leases. */
export const powerLabel = 'lab.k8sops/power'

/** What the lab decides itself, whatever extraArgs say: where things listen and how the lab reaches them. */
const reserved =
  /^(bind-address|secure-port|advertise-address|egress-.*|etcd-.*|.*kubeconfig|leader-elect|config|cert-dir)$/

export interface EtcdOptions {
  client: number
  peer: number
  dataDir: string
  /** Directory with ca.crt, server.crt and server.key. */
  pki: string
  /** `name=peer URL`, separated by commas. */
  initial: string
  state: 'new' | 'existing'
}

export function etcdArgs(base: string, config: MachineConfig, options: EtcdOptions): string[] {
  const { client, peer, dataDir, pki, initial, state } = options
  const url = (port: number) => `https://${base}:${port}`
  return flags({
    name: config.hostname,
    'data-dir': dataDir,
    // The data must outlive a crash of the lab's processes, not of the machine that the lab runs on.
    'unsafe-no-fsync': 'true',
    'listen-client-urls': url(client),
    'advertise-client-urls': url(client),
    'listen-peer-urls': url(peer),
    'initial-advertise-peer-urls': url(peer),
    'initial-cluster': initial,
    'initial-cluster-state': state,
    'initial-cluster-token': config.clusterName,
    'client-cert-auth': 'true',
    'trusted-ca-file': join(pki, 'ca.crt'),
    'cert-file': join(pki, 'server.crt'),
    'key-file': join(pki, 'server.key'),
    'peer-client-cert-auth': 'true',
    'peer-trusted-ca-file': join(pki, 'ca.crt'),
    'peer-cert-file': join(pki, 'server.crt'),
    'peer-key-file': join(pki, 'server.key'),
    'log-level': 'warn',
  })
}

/** @param advertised the real address of a control plane: loopback is illegal in the Endpoints that it ends up in */
export function apiServerArgs(spec: LabSpec, config: MachineConfig, advertised: string): string[] {
  const file = (name: string) => join(controlPlaneDir(spec.dir), name)
  return flags(
    {
      'admission-control-config-file': file('admission-control-config.yaml'),
      'advertise-address': advertised,
      'allow-privileged': 'true',
      'anonymous-auth': 'false',
      'api-audiences': config.endpoint,
      'authorization-mode': 'Node,RBAC',
      'bind-address': spec.base,
      'client-ca-file': file('ca.crt'),
      'egress-selector-config-file': file('egress-selector.yaml'),
      'enable-admission-plugins': 'NodeRestriction',
      'enable-bootstrap-token-auth': 'true',
      'encryption-provider-config': file('encryptionconfig.yaml'),
      'etcd-cafile': file('etcd-ca.crt'),
      'etcd-certfile': file('etcd-client.crt'),
      'etcd-keyfile': file('etcd-client.key'),
      'etcd-servers': `https://${spec.base}:${etcdFrontPort}`,
      'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
      profiling: 'false',
      'proxy-client-cert-file': file('front-proxy-client.crt'),
      'proxy-client-key-file': file('front-proxy-client.key'),
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-client-ca-file': file('aggregator-ca.crt'),
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-username-headers': 'X-Remote-User',
      'secure-port': String(apiPort),
      'service-account-issuer': config.endpoint,
      'service-account-key-file': file('service-account.pub'),
      'service-account-signing-key-file': file('service-account.key'),
      'service-cluster-ip-range': config.serviceSubnets.join(','),
      'tls-cert-file': file('apiserver.crt'),
      'tls-min-version': 'VersionTLS12',
      'tls-private-key-file': file('apiserver.key'),
    },
    clusterDocument(config).apiServer?.extraArgs,
  )
}

export function controllerManagerArgs(spec: LabSpec, config: MachineConfig): string[] {
  const file = (name: string) => join(controlPlaneDir(spec.dir), name)
  return flags(
    {
      'allocate-node-cidrs': 'true',
      'authentication-kubeconfig': file('controller-manager.kubeconfig'),
      'authorization-kubeconfig': file('controller-manager.kubeconfig'),
      'bind-address': spec.base,
      'cluster-cidr': config.podSubnets.join(','),
      'cluster-signing-cert-file': file('ca.crt'),
      'cluster-signing-key-file': file('ca.key'),
      'configure-cloud-routes': 'false',
      controllers: '*,tokencleaner',
      kubeconfig: file('controller-manager.kubeconfig'),
      'leader-elect': 'false',
      // A node that went away is noticed after 8 s instead of 50; kwok renews leases of 10 s.
      'node-monitor-grace-period': '8s',
      'node-monitor-period': '1s',
      profiling: 'false',
      'root-ca-file': file('ca.crt'),
      'service-account-private-key-file': file('service-account.key'),
      'service-cluster-ip-range': config.serviceSubnets.join(','),
      'tls-min-version': 'VersionTLS13',
      'use-service-account-credentials': 'true',
    },
    clusterDocument(config).controllerManager?.extraArgs,
  )
}

export function schedulerArgs(spec: LabSpec, config: MachineConfig): string[] {
  const file = (name: string) => join(controlPlaneDir(spec.dir), name)
  return flags(
    {
      'authentication-kubeconfig': file('scheduler.kubeconfig'),
      'authorization-kubeconfig': file('scheduler.kubeconfig'),
      'bind-address': spec.base,
      config: file('scheduler-config.yaml'),
      profiling: 'false',
      'tls-min-version': 'VersionTLS13',
    },
    clusterDocument(config).scheduler?.extraArgs,
  )
}

/** kwok 0.8.0: exits at start when a Stage of its --config names a kind that isn't served, so Stages come as objects. */
export function kwokArgs(spec: LabSpec): string[] {
  const file = (name: string) => join(controlPlaneDir(spec.dir), name)
  return flags({
    config: file('kwok.yaml'),
    'enable-crds': 'Stage',
    kubeconfig: file('kwok.kubeconfig'),
    'manage-all-nodes': 'false',
    'manage-nodes-with-label-selector': `${powerLabel}=on`,
    'node-lease-duration-seconds': '10',
    'server-address': `${spec.base}:10247`,
  })
}

function flags(own: Record<string, string>, extra: ExtraArgs = {}): string[] {
  const added = Object.entries(extra).filter(([name]) => !reserved.test(name))
  const merged = { ...own, ...Object.fromEntries(added) }
  return Object.entries(merged).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((item) => `--${name}=${item}`),
  )
}
