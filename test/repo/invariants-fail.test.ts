// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { entryKustomization, type FluxKustomization } from '../../src/lib/repo/flux.ts'
import { manifest } from '../../src/lib/repo/manifests.ts'
import type { Release } from '../../src/lib/repo/releases.ts'
import * as files from './invariants/files.ts'
import * as rendered from './invariants/rendered.ts'
import { containersWithoutResources } from './invariants/resources.ts'
import * as secrets from './invariants/secrets.ts'
import type { ClusterView, Invariant, RepositoryView } from './invariants/view.ts'
import { projectRoot } from './tool.ts'

/** Each invariant against the smallest thing that breaks it: one that never complains proves nothing. */
const withFiles = (contents: Record<string, string>, clusters: ClusterView[] = []): RepositoryView => ({
  root: projectRoot,
  files: Object.entries(contents).map(([path, text]) => ({ path, text })),
  clusters,
})

function cluster(
  objects: object[],
  more: Partial<ClusterView> = {},
  kustomization: Partial<FluxKustomization> = {},
): RepositoryView {
  const manifests = objects.map((object) => manifest(stringify(object), undefined))
  const one: ClusterView = {
    name: 'infra',
    settings: { CLUSTER_DOMAIN: 'example.org' },
    rendered: [{ kustomization: { ...entryKustomization('a'), ...kustomization }, manifests, findings: [] }],
    releases: [],
    findings: [],
    ...more,
  }
  return { root: projectRoot, files: [], clusters: [one] }
}

const object = (kind: string, rest: object = {}, apiVersion = 'v1') => ({
  apiVersion,
  kind,
  metadata: { name: 'x', namespace: 'ns' },
  ...rest,
})
const release = (rest: object) =>
  ({ namespace: 'ns', name: 'r', releaseNamespace: 'ns', version: '1.0.0', values: {}, ...rest }) as Release
const settings = (name: string, values: Record<string, string>): ClusterView => ({
  name,
  settings: values,
  rendered: [],
  releases: [],
  findings: [],
})

const recipient = 'age1j3hsfptdfsfwvkf504etjkrtmajny9csrfh5s24uqh6fchmg5dgqg087ek'
const sopsConfig = `creation_rules:\n  - path_regex: .*\\.sops\\.yaml$\n    age: ${recipient}\n`
const encrypted = (to: string, value = 'ENC[AES256_GCM,data:x]') =>
  `kind: Secret\nstringData:\n  a: ${value}\nsops:\n  mac: ENC[x]\n  age:\n    - recipient: ${to}\n`

const cases: [string, Invariant, RepositoryView, string][] = [
  ['.yml', files.yamlExtension, withFiles({ 'kubernetes/a.yml': '' }), 'ends in .yml'],
  ['no schema', files.schemaComment, withFiles({ 'kubernetes/a.yaml': '# other\n' }), 'no schema comment'],
  [
    'wrong name',
    files.fileNames,
    withFiles({ 'kubernetes/x/app/deploy.yaml': stringify(object('Deployment')) }),
    'should be deployment.yaml',
  ],
  [
    'Flux name',
    files.fileNames,
    withFiles({
      'kubernetes/x/kustomization.yaml': 'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n',
    }),
    'should be ks.yaml',
  ],
  [
    'two kinds',
    files.fileNames,
    withFiles({ 'kubernetes/x/pod.yaml': 'apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Node\n' }),
    'holds pod and node',
  ],
  [
    'directory',
    files.directoryIsName,
    withFiles({ 'kubernetes/y/ks.yaml': stringify(object('Kustomization')) }),
    'declares x, not y',
  ],
  [
    'cluster in base',
    files.sharedNamesNoCluster,
    withFiles({ 'kubernetes/infrastructure/a.yaml': 'host: x.monosense.dev' }, [
      settings('a', { D: 'monosense.dev' }),
      settings('b', { D: 'monosense.io' }),
    ]),
    'names monosense.dev',
  ],
  [
    'unseen CONFIRM',
    files.confirmMarksAreSeen,
    withFiles({ 'kubernetes/a.yaml': 'a: 1 # CONFIRM: x\n' }),
    'CONFIRM stands in',
  ],
  ['orphan', files.noOrphans, withFiles({ 'kubernetes/a.yaml': '' }), 'nothing uses it'],
  [
    'orphaned patch',
    files.noOrphans,
    withFiles({ 'talos/patches/a.yaml': '', 'talos/x/talconfig.yaml': 'patches: ["@../patches/b.yaml"]' }),
    'patches/a.yaml: nothing uses it',
  ],
  [
    'not encrypted',
    secrets.encryptedFiles,
    withFiles({ '.sops.yaml': sopsConfig, 'kubernetes/a.sops.yaml': 'kind: Secret\n' }),
    'is not encrypted',
  ],
  [
    'other recipient',
    secrets.encryptedFiles,
    withFiles({ '.sops.yaml': sopsConfig, 'kubernetes/a.sops.yaml': encrypted('age1other') }),
    'encrypted to age1other',
  ],
  [
    'one plain value',
    secrets.encryptedFiles,
    withFiles({ '.sops.yaml': sopsConfig, 'kubernetes/a.sops.yaml': encrypted(recipient, 'plain') }),
    '1 values in plain text',
  ],
  [
    'no rule',
    secrets.encryptedFiles,
    withFiles({ '.sops.yaml': '{}', 'kubernetes/a.sops.yaml': encrypted(recipient) }),
    'no creation rule',
  ],
  [
    'no recipient',
    secrets.recipientsGiven,
    withFiles({ '.sops.yaml': 'creation_rules:\n  - path_regex: x\n' }),
    'no age recipient',
  ],
  [
    'private key',
    secrets.nothingLooksSecret,
    withFiles({ 'talos/a.yaml': '-----BEGIN PRIVATE KEY-----' }),
    'a private key',
  ],
  [
    'password',
    secrets.nothingLooksSecret,
    withFiles({ 'kubernetes/a.yaml': 'adminPassword: hunter2hunter2' }),
    'a password',
  ],
  ['plain Secret', secrets.noPlainSecretObjects, withFiles({ 'kubernetes/a.yaml': 'kind: Secret\n' }), 'not encrypted'],
  [
    'plain value in a template',
    secrets.noPlainSecretObjects,
    withFiles({ 'bootstrap/a.yaml.tpl': 'kind: Secret\nstringData:\n  token: abc\n' }),
    'token: abc is no 1Password reference',
  ],
  [
    'finding',
    rendered.rendersWithoutFindings,
    cluster([], { findings: [{ file: 'f', message: 'broken' }] }),
    'f: broken',
  ],
  [
    'floating chart',
    rendered.chartsPinned,
    cluster([], { releases: [release({ version: '1.x' })] }),
    'chart version 1.x',
  ],
  [
    'floating image',
    rendered.imagesPinned,
    cluster([object('Pod', { spec: { containers: [{ image: 'nginx:latest' }] } })]),
    'image nginx:latest',
  ],
  [
    'image without tag',
    rendered.imagesPinned,
    cluster([object('Pod', { spec: { containers: [{ image: 'host:5000/nginx' }] } })]),
    'image host:5000/nginx',
  ],
  [
    'floating tag in values',
    rendered.imagesPinned,
    cluster([], { releases: [release({ values: { image: { tag: 'latest' } } })] }),
    'tag latest',
  ],
  [
    'cluster-admin',
    rendered.noClusterAdmin,
    cluster([object('ClusterRoleBinding', { roleRef: { name: 'cluster-admin' } })]),
    'binds cluster-admin',
  ],
  [
    'no remediation',
    rendered.releasesAreRemediated,
    cluster([
      object(
        'HelmRelease',
        { spec: { install: { strategy: { name: 'RetryOnFailure' } } } },
        'helm.toolkit.fluxcd.io/v2',
      ),
    ]),
    'upgrade has no remediation',
  ],
  ['two owners', rendered.oneObjectOneOwner, cluster([object('Pod'), object('Pod')]), 'Pod ns/x: applied by'],
  [
    'no readiness',
    rendered.readinessIsKnown,
    cluster([object('CephCluster', {}, 'ceph.rook.io/v1')]),
    'CephCluster has no healthCheckExprs',
  ],
  ['no namespace', rendered.namespacesExist, cluster([object('Pod')]), 'namespace ns is not made'],
  [
    'foreign host',
    rendered.hostsInDomain,
    cluster([object('HTTPRoute', { spec: { hostnames: ['x.example.com', 'x.example.org'] } })]),
    'x.example.com is not in example.org',
  ],
]

describe('an invariant complains about what breaks it', () => {
  test.each(cases)('%s', (_, invariant, view, message) => {
    expect(invariant(view)).toEqual([expect.stringContaining(message)])
  })

  test('one path, two consumers', () => {
    const view = cluster([])
    view.clusters[0]!.rendered.push(...cluster([]).clusters[0]!.rendered)
    expect(rendered.onePathOneConsumer(view)).toEqual([expect.stringContaining('applied by')])
  })

  test('a container without limits', async () => {
    const resources = { requests: { cpu: '1m', memory: '1Mi' } }
    const chart = { name: 'cert-manager', chartName: 'cert-manager', version: 'v1.20.2' }
    const found = await containersWithoutResources(
      cluster([], { releases: [release({ ...chart, values: { resources } })] }),
    )
    expect(found).toContain(
      'infra: ns/cert-manager: container cert-manager-controller lacks requests or limits (resources)',
    )
    expect(found).toContain(
      'infra: ns/cert-manager: container cert-manager-webhook lacks requests or limits (webhook.resources)',
    )
  })
})

describe('an invariant does not complain about what is allowed', () => {
  test.each<[string, Invariant, RepositoryView]>([
    [
      'values that come from elsewhere',
      secrets.nothingLooksSecret,
      withFiles({ 'kubernetes/a.yaml': 'password: ${PASSWORD}\npasswordSecretRef:\n  name: x\ntoken: op://v/i/f\n' }),
    ],
    [
      'encrypted files',
      secrets.encryptedFiles,
      withFiles({ '.sops.yaml': sopsConfig, 'kubernetes/a.sops.yaml': encrypted(recipient) }),
    ],
    [
      'references in a template',
      secrets.noPlainSecretObjects,
      withFiles({ 'bootstrap/a.yaml.tpl': 'kind: Secret\nstringData:\n  token: "{{ op://v/i/f }}"\n' }),
    ],
    ['digests', rendered.imagesPinned, cluster([object('Pod', { image: `nginx@sha256:${'a'.repeat(64)}` })])],
  ])('%s', (_, invariant, view) => {
    expect(invariant(view)).toEqual([])
  })
})
