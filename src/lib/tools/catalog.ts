/**
 * The pinned tool-chain as data. `tools/<dir>/go.mod` is the single truth for a version; everything here says how to
 * build a tool from its Go module, how to ask it for its version, and who needs it. Node built-ins only: every
 * command imports this file.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogForTests } from './catalog-for-tests.ts'

/** `bootstrap`: a real cluster's operator · `lab`: the rehearsal cluster · `test`: only our own checks. */
export type Need = 'bootstrap' | 'lab' | 'test'

export interface Tool {
  /** The binary's name; for `flux-crds` the name of the directory of YAML files. */
  name: string
  /** Directory under tools/ that holds go.mod and go.sum. */
  dir: string
  /** The module whose `require` line in that go.mod is the tool's version. */
  module: string
  /** The Go package to build, or `crds` for the files of `config/crd/bases` of every module that go.mod requires. */
  package: string
  /** Linker values by Go variable; `{version}` is 1.2.3, `{tag}` is v1.2.3. */
  linkerValues?: Record<string, string>
  /** Shows that a binary runs; the pattern's first group, if it has one, is the version without `v`. */
  selfCheck?: { args: string[]; pattern: RegExp }
  neededFor: Need[]
  /** About how long it takes on 2 idle cores after the tools before it in this list; only feeds the time left. */
  coldSec: number
  /** For a tool that needs a newer Go than the machine's; `go` fetches it as a Go module. */
  goToolchain?: string
  /** A directory inside the package that it embeds but that its module lacks: built from a copy with one empty file in it. */
  missingEmbed?: string
  /** The name under which mise has it prebuilt. */
  mise?: string
}

const versionLine = /(?:^|[^\d.])v?(\d+\.\d+\.\d+(?:-[\w.]+)?)/m
const kubernetes = (name: string, neededFor: Need[], coldSec: number, extra: Partial<Tool> = {}): Tool => ({
  name,
  dir: 'kubernetes',
  module: 'k8s.io/kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  linkerValues: {
    'k8s.io/component-base/version.gitVersion': '{tag}',
    'k8s.io/component-base/version.gitMajor': '{major}',
    'k8s.io/component-base/version.gitMinor': '{minor}',
    'k8s.io/component-base/version.gitTreeState': 'clean',
    'k8s.io/client-go/pkg/version.gitVersion': '{tag}',
  },
  selfCheck: { args: ['--version'], pattern: versionLine },
  neededFor,
  coldSec,
  ...extra,
})

const etcd = (name: string, module: string, selfCheck: NonNullable<Tool['selfCheck']>, coldSec: number): Tool => ({
  name,
  dir: name,
  module: `go.etcd.io/etcd/${module}/v3`,
  package: `go.etcd.io/etcd/${module}/v3`,
  selfCheck,
  neededFor: ['lab'],
  coldSec,
})

/** In build order: what a first run waits for comes first, and a tool follows those it shares most packages with. */
export const catalog: Tool[] = [
  etcd('etcd', 'server', { args: ['--version'], pattern: versionLine }, 30),
  // It names the version of etcd's packages as its own.
  etcd('etcdutl', 'etcdutl', { args: ['version'], pattern: /^etcdutl version/ }, 5),
  kubernetes('kube-apiserver', ['lab'], 220),
  kubernetes('kube-controller-manager', ['lab'], 55),
  kubernetes('kube-scheduler', ['lab'], 5),
  kubernetes('kubectl', ['bootstrap', 'lab'], 25, {
    selfCheck: { args: ['version', '--client'], pattern: /Client Version: v(\S+)/ },
    mise: 'aqua:kubernetes/kubernetes/kubectl',
  }),
  {
    name: 'talosctl',
    dir: 'talosctl',
    module: 'github.com/siderolabs/talos',
    package: 'github.com/siderolabs/talos/cmd/talosctl',
    linkerValues: {
      'github.com/siderolabs/talos/pkg/machinery/version.Tag': '{tag}',
      'github.com/siderolabs/talos/pkg/machinery/version.Name': 'Talos',
    },
    selfCheck: { args: ['version', '--client', '--short'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 145,
    mise: 'aqua:siderolabs/talos',
  },
  {
    name: 'talhelper',
    dir: 'talhelper',
    module: 'github.com/budimanjojo/talhelper/v3',
    package: 'github.com/budimanjojo/talhelper/v3',
    linkerValues: { 'github.com/budimanjojo/talhelper/v3/cmd.version': '{version}' },
    selfCheck: { args: ['--version'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 85,
    mise: 'aqua:budimanjojo/talhelper',
  },
  {
    name: 'kwok',
    dir: 'kwok',
    module: 'sigs.k8s.io/kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    linkerValues: { 'sigs.k8s.io/kwok/pkg/consts.Version': '{tag}' },
    selfCheck: { args: ['--version'], pattern: versionLine },
    neededFor: ['lab'],
    coldSec: 12,
  },
  {
    name: 'sops',
    dir: 'sops',
    module: 'github.com/getsops/sops/v3',
    package: 'github.com/getsops/sops/v3/cmd/sops',
    linkerValues: { 'github.com/getsops/sops/v3/version.Version': '{version}' },
    selfCheck: { args: ['--disable-version-check', '--version'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 4,
    mise: 'aqua:getsops/sops',
  },
  ...['age', 'age-keygen'].map(
    (name): Tool => ({
      name,
      dir: 'age',
      module: 'filippo.io/age',
      package: `filippo.io/age/cmd/${name}`,
      linkerValues: { 'main.Version': '{tag}' },
      selfCheck: { args: ['--version'], pattern: versionLine },
      neededFor: ['bootstrap', 'lab'],
      coldSec: 1,
      mise: 'aqua:FiloSottile/age',
    }),
  ),
  {
    name: 'kustomize',
    dir: 'kustomize',
    module: 'sigs.k8s.io/kustomize/kustomize/v5',
    package: 'sigs.k8s.io/kustomize/kustomize/v5',
    linkerValues: { 'sigs.k8s.io/kustomize/api/provenance.version': '{tag}' },
    selfCheck: { args: ['version'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 3,
    mise: 'aqua:kubernetes-sigs/kustomize',
  },
  {
    name: 'helm',
    dir: 'helm',
    module: 'helm.sh/helm/v4',
    package: 'helm.sh/helm/v4/cmd/helm',
    linkerValues: { 'helm.sh/helm/v4/internal/version.version': '{tag}' },
    selfCheck: { args: ['version', '--short'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 22,
    mise: 'aqua:helm/helm',
  },
  {
    name: 'flux-crds',
    dir: 'flux-crds',
    module: 'github.com/fluxcd/kustomize-controller',
    package: 'crds',
    neededFor: ['lab'],
    coldSec: 5,
  },
  {
    name: 'kustomize-controller',
    dir: 'kustomize-controller',
    module: 'github.com/fluxcd/kustomize-controller',
    package: 'github.com/fluxcd/kustomize-controller',
    selfCheck: { args: ['--help'], pattern: /--watch-all-namespaces/ },
    neededFor: ['lab'],
    coldSec: 22,
  },
  {
    name: 'helm-controller',
    dir: 'helm-controller',
    module: 'github.com/fluxcd/helm-controller',
    package: 'github.com/fluxcd/helm-controller',
    selfCheck: { args: ['--help'], pattern: /--watch-all-namespaces/ },
    neededFor: ['lab'],
    coldSec: 8,
  },
  {
    name: 'flux',
    dir: 'flux',
    module: 'github.com/fluxcd/flux2/v2',
    package: 'github.com/fluxcd/flux2/v2/cmd/flux',
    linkerValues: { 'main.VERSION': '{version}' },
    selfCheck: { args: ['--version'], pattern: versionLine },
    // `go build` of the module: "pattern manifests/*.yaml: no matching files found" (a release build writes them). Such
    // a binary can't `flux install` from embedded manifests, which k8sops never asks of it.
    missingEmbed: 'cmd/flux/manifests',
    neededFor: ['bootstrap', 'lab'],
    coldSec: 28,
    mise: 'aqua:fluxcd/flux2',
  },
  {
    name: 'helmfile',
    dir: 'helmfile',
    module: 'github.com/helmfile/helmfile',
    package: 'github.com/helmfile/helmfile',
    linkerValues: { 'go.szostok.io/version.version': '{version}' },
    selfCheck: { args: ['--version'], pattern: versionLine },
    neededFor: ['bootstrap', 'lab'],
    coldSec: 210,
    mise: 'aqua:helmfile/helmfile',
  },
  ...catalogForTests,
]

/** Finds a tool by name; an unknown name is a programming error. */
export function toolNamed(name: string): Tool {
  const tool = catalog.find((candidate) => candidate.name === name)
  if (!tool) throw new Error(`No tool "${name}" in src/lib/tools/catalog.ts`)
  return tool
}

/** The tools that one purpose needs, in build order. */
export function toolsFor(need: Need | 'all'): Tool[] {
  return need === 'all' ? catalog : catalog.filter((tool) => tool.neededFor.includes(need))
}

let recipes: string | undefined
/** k8sops's own `tools/` directory, beside its package.json, wherever this file was bundled to. */
export function recipesDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); !recipes; dir = dirname(dir)) {
    const candidate = join(dir, 'tools')
    if (existsSync(join(candidate, 'etcd', 'go.mod'))) recipes = candidate
    else if (dir === dirname(dir))
      throw new Error('k8sops is incomplete: its tools/ directory is missing. Reinstall it.')
  }
  return recipes
}

const versions = new Map<string, string>()
/** The version that a tool is pinned to, without the leading `v`, read from its go.mod. */
export function pinnedVersion(tool: Tool, recipesRoot = recipesDir()): string {
  const key = `${recipesRoot}/${tool.dir}#${tool.module}`
  const known = versions.get(key)
  if (known) return known
  const version = requiredVersion(readFileSync(join(recipesRoot, tool.dir, 'go.mod'), 'utf8'), tool.module)
  if (!version) throw new Error(`tools/${tool.dir}/go.mod does not require ${tool.module}`)
  versions.set(key, version)
  return version
}

/** The pins of the tools that one purpose needs, by name. */
export function pinnedVersions(need: Need | 'all'): Record<string, string> {
  return Object.fromEntries(toolsFor(need).map((tool) => [tool.name, pinnedVersion(tool)]))
}

/** The version, without `v`, that the text of a go.mod requires of a module. */
export function requiredVersion(goMod: string, module: string): string | undefined {
  for (const line of goMod.split('\n')) {
    const [first, second, third] = line.trim().split(/\s+/)
    const [path, version] = first === 'require' ? [second, third] : [first, second]
    if (path === module && version?.startsWith('v')) return version.slice(1)
  }
  return undefined
}
