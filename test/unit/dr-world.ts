/** A recovery of the cluster of gates-world.ts: one database, one volume, one machine with used disks. */
import type { RecoveryInput } from '../../src/lib/ops/dr.ts'
import type { Contents } from '../../src/lib/ops/dr-contents.ts'
import { cluster as fixture } from './gates-world.ts'

export const contents: Contents = {
  kustomizations: ['flux-system/infrastructure', 'flux-system/postgres', 'flux-system/odoo'],
  databases: [
    {
      namespace: 'databases',
      name: 'postgres',
      kustomization: 'flux-system/postgres',
      archive: 'postgres',
      schedule: 'postgres',
      bytes: 50e9,
    },
  ],
  volumes: [
    {
      namespace: 'business',
      name: 'odoo',
      kustomization: 'flux-system/odoo',
      destination: 'odoo-restore',
      trigger: 'first-create',
      bytes: 10e9,
    },
  ],
  namespaceOwners: ['flux-system/infrastructure'],
  namespaces: ['business', 'databases'],
  endpoints: ['https://r2.example'],
}

export function recoveryInput(): RecoveryInput {
  const cluster = fixture()
  const [database] = contents.databases
  const worker = cluster.nodes.find(({ controlPlane }) => !controlPlane)
  if (!database || !worker) throw new Error('the fixture has a database and a worker')
  const release = (namespace: string, name: string) => ({
    namespace,
    name,
    version: '1.2.3',
    runbook: 'docs/runbooks/x.md',
  })
  return {
    cluster,
    target: { context: 'apps', talosconfig: 'talos/apps/clusterconfig/talosconfig' },
    ageKey: 'op://vault/item/key',
    files: {
      secretsTemplate: 'bootstrap/apps/secrets.yaml.tpl',
      crdsHelmfile: 'bootstrap/helmfile.d/00-crds.yaml.gotmpl',
      appsHelmfile: 'bootstrap/helmfile.d/01-apps.yaml.gotmpl',
      releases: [release('kube-system', 'cilium'), release('flux-system', 'flux-instance')],
      crdGroups: ['postgresql.cnpg.io'],
      crds: ['clusters.postgresql.cnpg.io'],
      secrets: [{ namespace: 'flux-system', name: 'sops-age', keys: ['age.agekey'] }],
      fluxKustomizations: ['flux-system/flux-system'],
      secretStores: [],
    },
    params: { skipFlux: false, nodeTimeoutSec: 600 },
    contents,
    recoveries: [
      {
        database,
        recovery: { token: 'dr.run/x', from: 'postgres', archive: 'postgres-20261201t030000z' },
        at: '2026-12-01T03:00:00Z',
      },
    ],
    used: [
      {
        node: worker,
        disks: [
          { device: 'nvme1n1', content: 'a Ceph OSD' },
          { device: 'sda6', content: 'EPHEMERAL' },
        ],
      },
    ],
    restoreSec: 28_800,
  }
}
