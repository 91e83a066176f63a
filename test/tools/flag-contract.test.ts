/**
 * Every argv that writes, run with the real binary against a closed loopback port: it must fail to connect. An unknown
 * flag, a wrong order of words or a file that can't be read would fail otherwise, and before.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deleteCephJobArgs, deleteCephJobsArgs, restartOperatorArgs } from '../../src/lib/tools/ceph-job.args.ts'
import {
  applyAllArgs,
  applyRecordArgs,
  deleteNamespaceArgs,
  getDrillArgs,
  getNamespaceArgs,
} from '../../src/lib/tools/drill-record.args.ts'
import { pushBranchArgs, pushNotesArgs } from '../../src/lib/tools/git.args.ts'
import { syncReleaseArgs, templateArgs } from '../../src/lib/tools/helmfile.args.ts'
import {
  applyStdinArgs,
  cordonArgs,
  deletePendingReleasesArgs,
  drainArgs,
  uncordonArgs,
} from '../../src/lib/tools/kubectl.args.ts'
import { evictOsdsArgs, restNodeArgs, wakeNodeArgs } from '../../src/lib/tools/kubectl-ceph.args.ts'
import {
  annotateDatabaseArgs,
  deleteDatabaseArgs,
  getDatabaseArgs,
  getScheduleArgs,
  listDatabasesArgs,
  promoteArgs,
} from '../../src/lib/tools/kubectl-cnpg.args.ts'
import { extendArgs, type HeldObjects, resumeArgs, suspendArgs } from '../../src/lib/tools/kubectl-hold.args.ts'
import { deleteNodeArgs, holdNodeArgs, releaseNodeArgs } from '../../src/lib/tools/kubectl-node.args.ts'
import { deletePathArgs } from '../../src/lib/tools/kubectl-raw.args.ts'
import { createRecordArgs, holdRecordArgs, patchRecordArgs } from '../../src/lib/tools/kubectl-rollout.args.ts'
import { fileDigestsArgs, forceSyncArgs } from '../../src/lib/tools/kubectl-secrets.args.ts'
import {
  applyInArgs,
  deleteDestinationArgs,
  deleteSecretArgs,
  getObjectInArgs,
  getSourceArgs,
  noteClaimArgs,
  noteRestoreArgs,
  parkArgs,
  scheduleAgainArgs,
  syncNowArgs,
  unparkArgs,
  type Workload,
} from '../../src/lib/tools/kubectl-volsync.args.ts'
import { vaultInitArgs, vaultSetupArgs } from '../../src/lib/tools/openbao.args.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import { genconfigArgs, gensecretArgs } from '../../src/lib/tools/talhelper.args.ts'
import {
  applyConfigInsecureArgs,
  bootstrapArgs,
  discoveredVolumesArgs,
  etcdSnapshotArgs,
  forfeitLeadershipArgs,
  kubeconfigArgs,
  rebootArgs,
  upgradeArgs,
  upgradeKubernetesArgs,
  validateArgs,
  wipeDisksArgs,
} from '../../src/lib/tools/talosctl.args.ts'
import { removeEtcdMemberArgs } from '../../src/lib/tools/talosctl-etcd.args.ts'
import { applyConfigArgs, dryRunConfigArgs, resetArgs, wipeDiskArgs } from '../../src/lib/tools/talosctl-node.args.ts'
import type { Command } from '../../src/lib/types.ts'

const repository = join(import.meta.dirname, '..', '..')
/** Nothing listens on any port of this loopback address. */
const closed = '127.13.208.99'
const image = `factory.talos.dev/metal-installer/${'3'.repeat(64)}:v1.12.11`
// `was refused`: how kubectl 1.35 says it of a raw path.
const refused = /connection refused|connect: refused|ECONNREFUSED|was refused - did you specify/i

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'k8sops-flags-'))
  writeFileSync(join(directory, 'talconfig.yaml'), talconfig)
  const secrets = run(gensecretArgs())
  expect(secrets.status).toBe(0)
  writeFileSync(join(directory, 'talsecret.yaml'), secrets.stdout)
  writeFileSync(join(directory, 'kubeconfig'), kubeconfig)
  const made = run(
    genconfigArgs(
      { talconfig: 'talconfig.yaml', talsecret: 'talsecret.yaml', out: 'out' },
      'op://unused/unused/unused',
    ),
  )
  expect(made.stderr).toBe('')
  expect(made.status).toBe(0)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('talosctl', () => {
  it.each([
    applyConfigInsecureArgs(closed, 'out/flags-cp1.yaml'),
    bootstrapArgs('out/talosconfig', closed),
    kubeconfigArgs('out/talosconfig', closed),
    forfeitLeadershipArgs('out/talosconfig', closed),
    etcdSnapshotArgs('out/talosconfig', closed, 'snapshot.db'),
    upgradeArgs('out/talosconfig', closed, { image, stage: true, rebootMode: 'powercycle', timeoutSec: 5 }),
    upgradeKubernetesArgs('out/talosconfig', closed, 'v1.35.5'),
    rebootArgs('out/talosconfig', closed, { mode: 'powercycle', timeoutSec: 5 }),
    applyConfigArgs('out/talosconfig', closed, 'out/flags-cp1.yaml', 'no-reboot'),
    dryRunConfigArgs('out/talosconfig', closed, 'out/flags-cp1.yaml'),
    resetArgs('out/talosconfig', closed, { graceful: true, wipe: ['STATE', 'EPHEMERAL', 'u-data'], timeoutSec: 5 }),
    removeEtcdMemberArgs('out/talosconfig', closed, '8e9e05c52164694d'),
    discoveredVolumesArgs(closed),
    wipeDisksArgs(closed, ['nvme1n1', 'sda6']),
    wipeDiskArgs('out/talosconfig', closed, 'nvme1n1'),
  ])('$args', (command) => {
    const result = run(command)
    expect(result.status).not.toBe(0)
    expect(result.stderr).toMatch(refused)
  })

  it('validates what talhelper generated', () => {
    expect(run(validateArgs('out/flags-cp1.yaml'))).toMatchObject({ status: 0 })
  })
})

describe('talhelper', () => {
  // Why the step that calls it requires `talsecret-decrypts` (reference talos.md, trap 4).
  it('mints a new PKI when it is given no secrets that are there, and exits with 0', () => {
    const caOf = (out: string) => {
      const paths = { talconfig: 'talconfig.yaml', talsecret: 'gone.yaml', out }
      expect(run(genconfigArgs(paths, 'op://unused/unused/unused')).status).toBe(0)
      return /\bca: (\S+)/.exec(readFileSync(join(directory, out, 'talosconfig'), 'utf8'))?.[1]
    }
    const [first, second] = [caOf('minted-1'), caOf('minted-2')]
    expect(first).toMatch(/^LS0t/)
    expect(second).not.toBe(first)
  })
})

describe('kubectl', () => {
  const heldObjects: HeldObjects = { kind: 'HelmRelease', namespace: 'business', names: ['odoo', 'web'] }
  const holdNote = { id: 'flux.suspend/1', owner: 'me', reason: "it's slow", since: '', until: '', scope: 'app/odoo' }
  const workload: Workload = { kind: 'StatefulSet', namespace: 'business', name: 'odoo', replicas: 2 }
  const recordPlace = { context: 'flags', namespace: 'flux-system', name: 'k8sops-rollout' }
  const manifest = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n'
  it.each([
    applyStdinArgs('flags'),
    applyStdinArgs('flags', { forceConflicts: true }),
    holdNodeArgs('flags', 'apps-w1', { by: 'node.cordon/me', reason: "it's slow", since: '2026-11-24T12:00:00Z' }),
    releaseNodeArgs('flags', 'apps-w1', '4711'),
    restNodeArgs('flags', 'apps-w1', 'ceph.maintenance/me', holdNote),
    evictOsdsArgs('flags', 'apps-w1', 5),
    wakeNodeArgs('flags', 'apps-w1', '4711'),
    deleteCephJobArgs('flags', 'rook-ceph', 'k8sops-osd-3-ask-00ff'),
    deleteCephJobsArgs('flags', 'rook-ceph', 'osd-3'),
    restartOperatorArgs('flags', { namespace: 'rook-ceph', name: 'rook-ceph-operator' }),
    forceSyncArgs('flags', 'business', 'odoo', 'secrets.sync/1'),
    fileDigestsArgs('flags', { namespace: 'business', pod: 'odoo-0', container: 'odoo' }, ['/etc/odoo/admin']),
    deletePathArgs('flags', '/api/v1/namespaces/n/services/s:http/proxy/api/v2/silence/1'),
    deleteNodeArgs('flags', 'apps-w1'),
    suspendArgs('flags', heldObjects, holdNote, true),
    resumeArgs('flags', heldObjects, true),
    extendArgs('flags', heldObjects, '2026-11-30T15:00:00Z'),
    createRecordArgs(recordPlace),
    patchRecordArgs(recordPlace, '[]'),
    holdRecordArgs(recordPlace, holdNote),
    holdRecordArgs(recordPlace, null),
    syncNowArgs('flags', workload, 'T', true),
    scheduleAgainArgs('flags', workload, true),
    noteRestoreArgs('flags', workload, { by: 'T', at: '2026-11-30T15:00:00Z' }),
    getSourceArgs('flags', workload),
    applyInArgs('flags', 'x'),
    applyAllArgs('flags'),
    applyRecordArgs('flags', 'business/odoo'),
    deleteDestinationArgs('flags', workload),
    deleteSecretArgs('flags', workload),
    getObjectInArgs('flags', 'secrets', workload),
    getScheduleArgs('flags', 'databases', 'postgres'),
    getDatabaseArgs('flags', workload),
    annotateDatabaseArgs('flags', workload, { 'k8sops.dev/restored-at': null }),
    deleteDatabaseArgs('flags', workload),
    listDatabasesArgs('flags', 'databases'),
    getNamespaceArgs('flags', 'business'),
    deleteNamespaceArgs('flags', 'drill-business-odoo'),
    getDrillArgs('flags', 'drill-business-odoo'),
    promoteArgs('flags', workload, { from: 'postgres-1', to: 'postgres-2' }, '2026-11-30T15:00:00Z'),
    noteClaimArgs('flags', workload, 'T'),
    parkArgs('flags', workload, 'T'),
    unparkArgs('flags', { ...workload, kind: 'Deployment' }),
    deletePendingReleasesArgs('flags', 'kube-system', ['cilium', 'coredns']),
    cordonArgs('flags', 'apps-w1', 'talos.upgrade/1'),
    drainArgs('flags', 'apps-w1', 5),
    uncordonArgs('flags', 'apps-w1', 'talos.upgrade/1'),
    vaultInitArgs('flags', { namespace: 'vault', name: 'vault-0' }, 5, 3),
    vaultSetupArgs('flags', { namespace: 'vault', name: 'vault-0' }, '/openbao/setup/configure.sh'),
  ])('$args', (command) => {
    const result = run(command, manifest)
    expect(result.status).not.toBe(0)
    expect(result.stderr).toMatch(refused)
  })
})

describe('git', () => {
  it.each([pushBranchArgs('origin', 'HEAD', 'release'), pushNotesArgs('origin', 'refs/notes/none')])(
    '$args',
    (command) => {
      const at = join(directory, 'clone')
      const git = (...args: string[]) => spawnSync('git', args, { cwd: directory, encoding: 'utf8' })
      git('init', '--quiet', at)
      git('-C', at, '-c', 'user.name=a', '-c', 'user.email=a', 'commit', '--quiet', '--allow-empty', '--message', 'a')
      git('-C', at, 'update-ref', 'refs/notes/none', 'HEAD')
      git('-C', at, 'remote', 'add', 'origin', `http://${closed}:9418/a.git`)
      const result = spawnSync('git', command.args, { cwd: at, encoding: 'utf8' })
      expect(result.status).not.toBe(0)
      expect(result.stderr).toMatch(/Failed to connect|Couldn't connect|Connection refused/)
    },
  )
})

describe('helmfile, in this repository', () => {
  const apps = { file: 'bootstrap/helmfile.d/01-apps.yaml.gotmpl', environment: 'apps', context: 'flags' }
  const crds = { ...apps, file: 'bootstrap/helmfile.d/00-crds.yaml.gotmpl' }
  it.each([syncReleaseArgs(apps, { name: 'cilium', namespace: 'kube-system' }), templateArgs(crds)])(
    '$args',
    (command) => {
      const result = run(command, '', repository)
      expect(result.status).not.toBe(0)
      expect(result.stderr + result.stdout).toMatch(refused)
    },
  )
})

function run({ tool, args }: Command, input = '', cwd = directory) {
  const found = resolveTool(tool)
  if (!found) throw new Error(`${tool} is not installed in the pinned version: npm run setup`)
  const helm = resolveTool('helm')
  const path = [
    helm && dirname(helm.path),
    resolveTool('kustomize')?.path,
    join(repository, 'bin'),
    dirname(process.execPath),
    process.env.PATH,
  ]
  return spawnSync(found.path, args, {
    cwd,
    input,
    encoding: 'utf8',
    timeout: 50_000,
    env: {
      HOME: directory,
      PATH: path.filter(Boolean).join(delimiter),
      KUBECONFIG: join(directory, 'kubeconfig'),
      XDG_CACHE_HOME: join(directory, 'cache'),
      // The tools that `k8sops repo releases`, which helmfile calls, looks for.
      K8SOPS_CACHE:
        process.env.K8SOPS_CACHE ??
        join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '', '.cache'), 'k8sops'),
      // Charts come from registries: through a proxy that isn't there.
      HTTPS_PROXY: `http://${closed}:3128`,
    },
  })
}

const talconfig = `
clusterName: flags
talosVersion: v1.12.0
kubernetesVersion: v1.35.0
endpoint: https://${closed}:6443
cniConfig: {name: none}
nodes:
  - {hostname: cp1, ipAddress: ${closed}, controlPlane: true, installDisk: /dev/sda}
`

const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: flags, cluster: {server: 'https://${closed}:6443'}}]
users: [{name: flags, user: {token: none}}]
contexts: [{name: flags, context: {cluster: flags, user: flags}}]
`
