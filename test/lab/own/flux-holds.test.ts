/** Holds against the real controllers: what would revert them, what is deleted meanwhile, what nobody ended. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FluxCluster, startFluxCluster } from '../../helpers/flux-cluster.ts'

const kustomization = (name: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux-system' },
    spec: {
      interval: '1h',
      retryInterval: '2s',
      timeout: '1m',
      path: `kubernetes/${name}`,
      prune: true,
      wait: false,
      sourceRef: { kind: 'GitRepository', name: 'flux-system' },
      ...more,
    },
  })
const settings = (name: string, value: string) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { value } })
const resources = (...files: string[]) => JSON.stringify({ resources: files })
const chart = JSON.stringify({
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'OCIRepository',
  metadata: { name: 'dns', namespace: 'default' },
  spec: {
    interval: '1h',
    url: 'oci://ghcr.io/coredns/charts/coredns',
    ref: { tag: '1.45.2' },
    layerSelector: { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', operation: 'copy' },
  },
})
const release = JSON.stringify({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'dns', namespace: 'default' },
  spec: { interval: '1h', chartRef: { kind: 'OCIRepository', name: 'dns' } },
})
/** `shop` with a HelmRelease of another name; `forced` says in Git that it runs; `late` depends on shop. */
const entry = [
  kustomization('shop'),
  kustomization('forced', { suspend: false }),
  kustomization('late', { dependsOn: [{ name: 'shop' }] }),
].join('\n---\n')

let at: FluxCluster
beforeAll(async () => {
  at = await startFluxCluster(213, {
    'kubernetes/flux/kustomization.yaml': resources('entry.yaml'),
    'kubernetes/flux/entry.yaml': entry,
    'kubernetes/shop/kustomization.yaml': resources('settings.yaml', 'chart.yaml', 'release.yaml'),
    'kubernetes/shop/settings.yaml': settings('shop', 'one'),
    'kubernetes/shop/chart.yaml': chart,
    'kubernetes/shop/release.yaml': release,
    'kubernetes/forced/kustomization.yaml': resources('settings.yaml'),
    'kubernetes/forced/settings.yaml': settings('forced', 'one'),
    'kubernetes/late/kustomization.yaml': resources('settings.yaml'),
    'kubernetes/late/settings.yaml': settings('late', 'one'),
  })
  for (const name of ['shop', 'forced', 'late']) await at.untilReady('kustomization', name, /^True/)
  await at.untilReady('helmrelease', 'dns', /^True/, 'default')
})
afterAll(() => at?.stop())

const field = (kind: string, name: string, path: string, namespace = 'flux-system') =>
  at.cluster.kubectl('-n', namespace, 'get', kind, name, '-o', `jsonpath=${path}`)
const suspended = async (kind: string, name: string, namespace?: string) =>
  (await field(kind, name, '{.spec.suspend}', namespace)) === 'true'
/** The parent looks at its children anew. */
const reconcileParent = () => at.flux('reconcile', 'kustomization', 'flux-system')
const ok = ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }, wanted = 0) =>
  expect(code, stdout + stderr).toBe(wanted)
const holds = async () => {
  const { stdout } = await at.k8sops('holds', 'list', '-o', 'json')
  return (
    JSON.parse(stdout) as { items: { name: string; owner: string | null; objects: string[]; expired: boolean }[] }
  ).items
}

describe('one application', () => {
  test('is held with its HelmRelease, keeps to itself through reconciliations, and comes back with what is new', async () => {
    ok(await at.k8sops('flux', 'suspend', 'shop', '--for', '2h', '--reason', 'memory limit'))
    expect([await suspended('kustomization', 'shop'), await suspended('helmrelease', 'dns', 'default')]).toEqual([
      true,
      true,
    ])
    expect(await holds()).toMatchObject([
      { name: 'app/shop', objects: ['Kustomization/flux-system/shop', 'HelmRelease/default/dns'], expired: false },
    ])
    await at.push({ 'kubernetes/shop/settings.yaml': settings('shop', 'two') }, 'Raise the limit')
    await reconcileParent()
    expect(await suspended('kustomization', 'shop')).toBe(true)
    expect(await field('configmap', 'shop', '{.data.value}', 'default')).toBe('one')
    const status = await at.k8sops('flux', 'status', 'shop', '--suspended', '-o', 'json')
    expect(JSON.parse(status.stdout).items[0]).toMatchObject({ name: 'shop', behind: 1, suspended: true })

    const preview = await at.k8sops('flux', 'resume', 'shop', '--dry-run')
    expect(preview.stderr).toMatch(/Kustomization flux-system\/shop: .* -> .*:\n\s+[0-9a-f]+ Raise the limit/)
    ok(await at.k8sops('flux', 'resume', 'shop', '--wait', '60s'))
    await at.cluster.until(
      'the new value',
      async () => (await field('configmap', 'shop', '{.data.value}', 'default')) === 'two',
    )
    expect(await field('kustomization', 'shop', '{.metadata.annotations}')).not.toContain('k8sops.dev/hold')
    expect(await holds()).toEqual([])
    // A field that nobody sets any more: Git may set it again.
    expect(await field('kustomization', 'shop', '{.spec.suspend}')).toBe('')
  })

  test('what depends on it takes no later commit', async () => {
    const suspended = await at.k8sops('flux', 'suspend', 'shop', '--for', '2h')
    ok(suspended)
    expect(suspended.stderr).toContain('Kustomization/flux-system/late depends on it')
    await at.push({ 'kubernetes/late/settings.yaml': settings('late', 'later') }, 'A change of what depends on it')
    await at.untilReady('kustomization', 'late', /^False: dependency 'flux-system\/shop' revision is not up to date/)
    const why = await at.k8sops('why', 'late', '-o', 'json')
    ok(why, 3)
    expect(JSON.parse(why.stdout).broken).toMatchObject({
      class: 'suspended',
      object: 'Kustomization/flux-system/shop',
    })
    ok(await at.k8sops('flux', 'resume', 'shop'))
    await at.untilReady('kustomization', 'late', /^True/)
    expect(await field('configmap', 'late', '{.data.value}', 'default')).toBe('later')
  })

  test('is left alone by its parent where Git says that it runs; flux suspend alone is undone', async () => {
    await at.flux('suspend', 'kustomization', 'forced')
    await reconcileParent()
    expect(await suspended('kustomization', 'forced')).toBe(false)
    ok(await at.k8sops('flux', 'suspend', 'forced', '--for', '2h'))
    await reconcileParent()
    expect(await suspended('kustomization', 'forced')).toBe(true)
    ok(await at.k8sops('flux', 'resume', 'forced', '--wait', '60s'))
    expect(await field('kustomization', 'forced', '{.metadata.annotations}')).not.toContain('reconcile":"disabled')
    await reconcileParent()
    expect(await field('kustomization', 'forced', '{.spec.suspend}')).toBe('false')
  })

  test('a note that kubectl sets by itself is removed by the parent: why a field manager of our own', async () => {
    await at.cluster.kubectl('-n', 'flux-system', 'annotate', 'kustomization', 'shop', 'k8sops.dev/proof=1')
    await reconcileParent()
    expect(await field('kustomization', 'shop', '{.metadata.annotations}')).not.toContain('k8sops.dev/proof')
  })

  test('somebody else: refused, by force, and never without a word', async () => {
    ok(await at.k8sops('flux', 'suspend', 'shop', '--for', '2h'))
    const owner = ['k8sops.dev/hold-owner=bob@desk', '--overwrite', '--field-manager', 'k8sops']
    for (const [kind, name, namespace] of [
      ['kustomization', 'shop', 'flux-system'],
      ['helmrelease', 'dns', 'default'],
    ])
      await at.cluster.kubectl('-n', namespace ?? '', 'annotate', kind ?? '', name ?? '', ...owner)
    ok(await at.k8sops('flux', 'resume', 'shop'), 3)
    ok(await at.k8sops('flux', 'suspend', 'shop'), 3)
    ok(await at.k8sops('holds', 'extend', 'shop', '--for', '3h'), 3)
    ok(await at.k8sops('holds', 'extend', 'shop', '--for', '3h', '--force'))
    ok(await at.k8sops('flux', 'reconcile', 'shop'), 3)
    ok(await at.k8sops('holds', 'release', 'app/shop', '--force'))
    expect(await holds()).toEqual([])
  })

  test('deleted while it is held, it is no more in the way', async () => {
    ok(await at.k8sops('flux', 'suspend', 'shop', '--for', '2h'))
    await at.cluster.kubectl('-n', 'default', 'delete', 'helmrelease', 'dns')
    ok(await at.k8sops('flux', 'resume', 'shop'))
    await at.flux('reconcile', 'kustomization', 'shop')
    await at.untilReady('helmrelease', 'dns', /^True/, 'default')
  })
})

describe('the whole cluster', () => {
  test('exactly what was running comes back', async () => {
    await at.flux('suspend', 'helmrelease', 'dns', '-n', 'default')
    ok(await at.k8sops('flux', 'suspend', '--scope', 'cluster', '--for', '1h', '--reason', 'storage'))
    for (const name of ['flux-system', 'shop', 'forced', 'late'])
      expect(await suspended('kustomization', name)).toBe(true)
    expect((await holds()).map(({ name, owner }) => [name, owner === null])).toEqual([
      ['cluster', false],
      ['HelmRelease/default/dns', true],
    ])
    ok(await at.k8sops('flux', 'resume', '--scope', 'cluster', '--wait', '90s'))
    for (const name of ['flux-system', 'shop', 'forced', 'late'])
      expect(await suspended('kustomization', name)).toBe(false)
    expect(await suspended('helmrelease', 'dns', 'default')).toBe(true)
    ok(await at.k8sops('flux', 'resume', 'dns'), 3)
    ok(await at.k8sops('flux', 'resume', 'dns', '--force'))
  })

  test('what nobody ended ends by itself, but not in the middle of a larger hold', async () => {
    ok(await at.k8sops('flux', 'suspend', 'shop', '--for', '1s'))
    ok(await at.k8sops('flux', 'suspend', '--scope', 'cluster', '--for', '1h'))
    await at.cluster.until('it has expired', async () => (await holds()).some(({ expired }) => expired))
    ok(await at.k8sops('holds', 'expire'))
    expect(await suspended('kustomization', 'shop')).toBe(true)
    // A later run ends it along the way.
    ok(await at.k8sops('flux', 'resume', '--scope', 'cluster'))
    ok(await at.k8sops('holds', 'expire'))
    expect([await suspended('kustomization', 'shop'), await suspended('helmrelease', 'dns', 'default')]).toEqual([
      false,
      false,
    ])
    expect(await holds()).toEqual([])
  })
})

describe('reads and requests', () => {
  test('a commit is waited for until it is live, and a broken one is named', async () => {
    await at.push({ 'kubernetes/late/settings.yaml': settings('late', 'two') }, 'A change')
    ok(await at.k8sops('flux', 'reconcile', 'flux-system', '--with-source', '--wait', '60s'))
    ok(await at.k8sops('flux', 'reconcile', '--all', '--wait', '90s'))
    ok(await at.k8sops('flux', 'wait', '--timeout', '60s'))
    ok(await at.k8sops('flux', 'status'))
    await rm(join(at.root, 'kubernetes/late/settings.yaml'))
    await at.push({ 'kubernetes/late/kustomization.yaml': resources('gone.yaml') }, 'A mistake')
    await at.flux('reconcile', 'kustomization', 'shop')
    ok(await at.k8sops('flux', 'reconcile', 'late', '--wait', '10s'), 6)
    ok(await at.k8sops('flux', 'wait', 'late', '--timeout', '2s'), 3)
    // While it is tried again, nobody knows.
    const errors = await at.cluster.until('it has failed', async () => {
      const said = await at.k8sops('flux', 'errors', '-o', 'json')
      return said.code === 3 && said
    })
    expect(JSON.parse(errors.stdout).items).toMatchObject([{ name: 'late', state: 'failed', reason: 'BuildFailed' }])
    await at.untilReady('kustomization', 'late', /^False/)
    const why = await at.k8sops('why', 'late', '-o', 'json')
    expect(JSON.parse(why.stdout).broken).toMatchObject({ class: 'build-failed' })
    ok(await at.k8sops('flux', 'events', 'late', '--warnings'))
    const trace = await at.k8sops('flux', 'trace', 'configmap', 'shop', '-n', 'default')
    expect(trace.stdout).toMatch(/Kustomization +flux-system\/shop/)
    const tree = await at.k8sops('flux', 'tree', 'shop')
    expect(tree.stdout).toContain('HelmRelease default/dns')
  })
})
