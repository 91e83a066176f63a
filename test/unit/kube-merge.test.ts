import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { mergeKubeconfig, writeMergedKubeconfig } from '../../src/lib/tools/kubeconfig-merge.ts'

const incoming = `
apiVersion: v1
kind: Config
clusters:
  - name: apps
    cluster: {server: 'https://10.25.13.10:6443', certificate-authority-data: Q0E=}
users:
  - name: admin@apps
    user: {client-certificate-data: Q0VSVA==}
contexts:
  - name: admin@apps
    context: {cluster: apps, user: admin@apps, namespace: default}
current-context: admin@apps
`
const other = `# mine
apiVersion: v1
kind: Config
current-context: work
clusters:
  - name: work # the big one
    cluster: {server: 'https://work:6443'}
users: [{name: me, user: {token: t}}]
contexts: [{name: work, context: {cluster: work, user: me}}]
preferences: {colors: true}
`

interface Config {
  'current-context': string
  clusters: { name: string; cluster: { server: string } }[]
  users: { name: string }[]
  contexts: { name: string; context: { cluster: string; user: string } }[]
}
const read = (text: string) => parse(text) as Config

describe('mergeKubeconfig', () => {
  it('makes a file where there is none, with the context as the current one', () => {
    expect(read(mergeKubeconfig('', incoming, 'apps'))).toMatchObject({
      'current-context': 'apps',
      clusters: [{ name: 'apps', cluster: { server: 'https://10.25.13.10:6443' } }],
      users: [{ name: 'admin@apps' }],
      contexts: [{ name: 'apps', context: { cluster: 'apps', user: 'admin@apps' } }],
    })
  })

  it('keeps other contexts, the current one, comments and unknown keys', () => {
    const text = mergeKubeconfig(other, incoming, 'apps')
    expect(text).toContain('# mine')
    expect(text).toContain('# the big one')
    expect(read(text)).toMatchObject({
      'current-context': 'work',
      preferences: { colors: true },
      contexts: [{ name: 'work', context: { cluster: 'work', user: 'me' } }, { name: 'apps' }],
    })
  })

  it('is the same when it is done twice', () => {
    const once = mergeKubeconfig(other, incoming, 'apps')
    expect(mergeKubeconfig(once, incoming, 'apps')).toBe(once)
  })

  it('replaces an older entry of the same context', () => {
    const moved = mergeKubeconfig(mergeKubeconfig(other, incoming, 'apps'), incoming.replace('13.10', '13.99'), 'apps')
    expect(read(moved).clusters.map(({ cluster }) => cluster.server)).toEqual([
      'https://work:6443',
      'https://10.25.13.99:6443',
    ])
  })

  it('takes no entry away from another context that uses one of that name', () => {
    const taken = `contexts: [{name: mine, context: {cluster: apps, user: admin@apps}}]
clusters: [{name: apps, cluster: {server: 'https://mine:6443'}}]
users: [{name: admin@apps, user: {token: t}}]
`
    const config = read(mergeKubeconfig(taken, incoming, 'apps'))
    expect(config.clusters[0]).toMatchObject({ name: 'apps', cluster: { server: 'https://mine:6443' } })
    expect(config.contexts).toMatchObject([
      { name: 'mine', context: { cluster: 'apps', user: 'admin@apps' } },
      { name: 'apps', context: { cluster: 'k8sops-apps', user: 'k8sops-admin@apps' } },
    ])
  })

  it('reads lists that are null, as kubectl leaves them', () => {
    const empty = 'apiVersion: v1\nkind: Config\nclusters: null\ncontexts: []\nusers: null\ncurrent-context: ""\n'
    expect(read(mergeKubeconfig(empty, incoming, 'apps'))['current-context']).toBe('apps')
  })

  it.each([
    ['', 'expected a kubeconfig with one cluster and one user'],
    ['clusters: []', 'expected a kubeconfig with one cluster and one user'],
  ])('refuses %j on standard input', (text, message) => {
    expect(() => mergeKubeconfig(other, text, 'apps')).toThrow(message)
  })

  it('refuses a file that it does not understand, rather than to write over it', () => {
    expect(() => mergeKubeconfig('{ not: [yaml', incoming, 'apps')).toThrow("the kubeconfig can't be understood")
    expect(() => mergeKubeconfig('just text', incoming, 'apps')).toThrow("the kubeconfig can't be understood")
  })
})

describe('writeMergedKubeconfig', () => {
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-merge-'))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('writes mode 0600 through a symbolic link, and leaves nothing beside', async () => {
    const real = join(directory, 'deep', 'config')
    await writeMergedKubeconfig(real, incoming, 'apps')
    const link = join(directory, 'link')
    symlinkSync(real, link)
    await writeMergedKubeconfig(link, incoming, 'infra')
    expect(statSync(real).mode & 0o777).toBe(0o600)
    expect(read(readFileSync(real, 'utf8')).contexts.map(({ name }) => name)).toEqual(['apps', 'infra'])
  })

  it('leaves the file as it is when the input is no kubeconfig, and gives the lock back', async () => {
    const file = join(directory, '..', `k8sops-merge-${process.pid}`)
    writeFileSync(file, other)
    await expect(writeMergedKubeconfig(file, 'nonsense: true', 'apps')).rejects.toThrow('expected a kubeconfig')
    expect(readFileSync(file, 'utf8')).toBe(other)
    await writeMergedKubeconfig(file, incoming, 'apps')
    rmSync(file)
  })
})
