/**
 * How long validation takes beside what renders and checks the same: flate alone, flux-local, and a shell loop of `flux build` with
 * kubeconform; what one changed file costs, and 500 Kustomizations more. flux-local and JSON schemas are no dependency of ours:
 * K8SOPS_BENCH_FLUX_LOCAL names a flux-local (`pip install flux-local` with Python 3.13), K8SOPS_BENCH_SCHEMAS a directory laid out as
 * the CRDs catalog.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadRepository } from '../src/lib/config/load.ts'
import { renderWithFlate } from '../src/lib/repo/flate-render.ts'
import { renderersOf } from '../src/lib/repo/renderers.ts'
import { readSourceFiles } from '../src/lib/repo/source-files.ts'
import { cacheRoot } from '../src/lib/tools/cache-root.ts'
import { flateArgs } from '../src/lib/tools/flate.ts'
import { resolveTool } from '../src/lib/tools/resolve.ts'
import { cli, compare, median, root, row, timeAndResources } from './measure.ts'

/** What validation reads, copied, with `count` Kustomizations more on one cluster. */
function repositoryWith(count: number): string {
  const copy = mkdtempSync(join(tmpdir(), 'k8sops-bench-'))
  for (const part of [
    'kubernetes',
    'talos',
    'bootstrap',
    'k8sops.yaml',
    '.sops.yaml',
    'docs/runbooks',
    'docs/prerequisites.md',
    '.github',
  ])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  const apps = 'kubernetes/clusters/apps/apps'
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(copy, path)), { recursive: true })
    writeFileSync(join(copy, path), text)
  }
  const names = Array.from({ length: count }, (_, index) => `bench-${index}`)
  for (const name of names) {
    const spec = `interval: 5m, retryInterval: 1m, timeout: 5m, prune: true, wait: true, path: ./${apps}/${name}/app, sourceRef: {kind: GitRepository, name: flux-system}`
    write(
      `${apps}/${name}/ks.yaml`,
      `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: ${name}\n  namespace: flux-system\nspec: {${spec}}\n`,
    )
    write(
      `${apps}/${name}/app/configmap.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  namespace: default\ndata:\n  key: value\n`,
    )
    write(`${apps}/${name}/app/kustomization.yaml`, 'resources:\n  - configmap.yaml\n')
  }
  const list = join(copy, apps, 'kustomization.yaml')
  const lines = names.map((name) => `  - ${name}/ks.yaml\n`).join('')
  if (count > 0) {
    const text = readFileSync(list, 'utf8')
    const longer = text.replace(/^resources:(?: \[\])?\n/m, `resources:\n${lines}`)
    if (longer === text) throw new Error(`${list} lists no resources: none were added`)
    writeFileSync(list, longer)
  }
  spawnSync('git', ['init', '-q'], { cwd: copy })
  return copy
}

/** The same, committed, and then with one value of one release changed. */
function changedRepository(): string {
  const copy = repositoryWith(0)
  const git = (...args: string[]) =>
    spawnSync('git', ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { cwd: copy })
  git('add', '-A')
  git('commit', '-q', '-m', 'before')
  const file = join(copy, 'kubernetes/infrastructure/controllers/kube-system/reloader/app/helmrelease.yaml')
  const text = readFileSync(file, 'utf8')
  const changed = text.replace('memory: 256Mi', 'memory: 255Mi')
  if (changed === text) throw new Error(`${file} has no memory: 256Mi any more: change another value here`)
  writeFileSync(file, changed)
  return copy
}

const script = (text: string) => ['sh', '-c', text]

export async function benchValidate(): Promise<void> {
  const flate = resolveTool('flate')?.path
  const flux = resolveTool('flux')?.path
  const kubeconform = resolveTool('kubeconform')?.path
  if (!flate || !flux || !kubeconform) throw new Error('flate, flux and kubeconform: npm run setup')
  const repository = await loadRepository(root)
  const { clusters } = repository
  const flates = clusters.map(({ name, kubernetesVersion }) => {
    const args = flateArgs({ path: `kubernetes/clusters/${name}`, kubernetesVersion })
    return `${flate} ${args.join(' ')} > /dev/null 2>&1 &`
  })
  const node = process.execPath
  const cold = mkdtempSync(join(tmpdir(), 'k8sops-bench-'))
  const tools = join(cacheRoot(), 'tools')
  const forgotten = `rm -rf ${cold}/*; mkdir ${cold}/cache; ln -s ${tools} ${cold}/cache/tools; K8SOPS_CACHE=${cold}/cache NODE_COMPILE_CACHE=${cold}/node`
  const oneChanged = changedRepository()
  // Offline charts fail, in flate and in ours alike: what is compared is the rendering.
  const contenders = [
    { name: 'flate', command: script(`${flates.join(' ')} wait`) },
    { name: 'validate', command: script(`${node} ${cli} validate > /dev/null`) },
    {
      name: 'changed',
      ends: [0, 3],
      command: script(`${node} ${cli} validate --repo ${oneChanged} --changed=HEAD > /dev/null`),
    },
    { name: 'diff', ends: [0, 3], command: script(`cd ${oneChanged} && ${node} ${cli} diff HEAD > /dev/null`) },
    // Nothing compiled, and nothing remembered of an earlier run: neither facts nor what kustomize built.
    { name: 'cold', command: script(`${forgotten} ${node} ${cli} validate > /dev/null`) },
    {
      name: 'changed, cold',
      ends: [0, 3],
      command: script(`${forgotten} ${node} ${cli} validate --repo ${oneChanged} --changed=HEAD > /dev/null`),
    },
    {
      name: 'diff, cold',
      ends: [0, 3],
      command: script(`cd ${oneChanged} && ${forgotten} ${node} ${cli} diff HEAD > /dev/null`),
    },
  ]
  const ms = compare(contenders, 5)
  const of = (name: string) => ms[name] ?? Number.NaN

  const files = new Map(readSourceFiles(root).map((file) => [file.path, file]))
  const renderers = renderersOf(root, process.env)
  const rendering: number[] = []
  for (let round = 0; round <= 5; round++) {
    const started = performance.now()
    await Promise.all(
      clusters.map((cluster) =>
        renderWithFlate(root, cluster.name, { flate: renderers.flate(cluster), kustomize: renderers.kustomize }, files),
      ),
    )
    if (round > 0) rendering.push(performance.now() - started)
  }
  const beside = (what: string, ours: number, theirs: number, most: number) => {
    const figure = `${ours.toFixed(0)} / ${theirs.toFixed(0)} ms = ${(ours / theirs).toFixed(2)}`
    row(what, figure, Number.isFinite(most) ? `<= ${most}` : 'beside', ours <= most * theirs)
  }
  beside('rendering both clusters / flate alone', median(rendering), of('flate'), 1.1)
  beside('validate, whole / flate alone', of('validate'), of('flate'), Number.POSITIVE_INFINITY)
  beside('validate --changed, one file / validate', of('changed'), of('validate'), Number.POSITIVE_INFINITY)
  // Both sides of both clusters are rendered.
  beside('diff, one file / flate alone', of('diff'), of('flate'), Number.POSITIVE_INFINITY)
  beside('validate --changed, the first time / warm', of('changed, cold'), of('changed'), Number.POSITIVE_INFINITY)
  beside('diff, the first time / warm', of('diff, cold'), of('diff'), Number.POSITIVE_INFINITY)
  rmSync(oneChanged, { recursive: true })
  const over = of('cold') - of('flate')
  row('validate with empty caches, over flate', `${over.toFixed(0)} ms`, '<= 1000 ms', over <= 1000)

  benchPeers({ flux, kubeconform, validate: of('validate') })
  benchSize()
}

interface Peers {
  flux: string
  kubeconform: string
  /** Milliseconds of both clusters. */
  validate: number
}

/** Once: they take minutes. */
function benchPeers({ flux, kubeconform, validate }: Peers): void {
  const schemas = process.env.K8SOPS_BENCH_SCHEMAS
  const local = process.env.K8SOPS_BENCH_FLUX_LOCAL
  const check = schemas
    ? `${kubeconform} -ignore-missing-schemas -schema-location '${schemas}/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json' -summary`
    : 'cat > /dev/null'
  const loop = `find kubernetes/infrastructure -name ks.yaml | while read -r file; do
    path=$(sed -n 's/^  path: //p' "$file"); name=$(sed -n 's/^  name: //p' "$file" | head -1)
    ${flux} build kustomization "$name" --path "$path" --kustomization-file "$file" --dry-run 2> /dev/null
  done | ${check} > /dev/null || true`
  const kustomize = resolveTool('kustomize')?.path ?? 'kustomize'
  const env = { PATH: [dirname(flux), dirname(kustomize), process.env.PATH].join(':') }
  const peers = [
    { name: `loop of flux build${schemas ? ' | kubeconform' : ''}, one cluster`, command: script(loop) },
    ...(local
      ? [
          {
            name: 'flux-local build ks, both clusters',
            env,
            command: script(
              ['infra', 'apps']
                // One that fails early, or renders a part only, is no result: the bench stops, and says what it said.
                .map(
                  (name) =>
                    `test $(${local} build ks --path kubernetes/clusters/${name}/flux | grep -c '^kind:') -ge 200`,
                )
                .join(' && '),
            ),
          },
        ]
      : []),
  ]
  for (const peer of peers) {
    const theirs = compare([peer], 1)[peer.name] ?? Number.NaN
    const times = theirs / validate
    const isLocal = peer.name.startsWith('flux-local')
    row(
      `${peer.name} / validate`,
      `${theirs.toFixed(0)} / ${validate.toFixed(0)} ms = ${times.toFixed(1)}`,
      isLocal ? '>= 10' : 'beside',
      !isLocal || times >= 10,
    )
  }
}

/** Time and memory must grow with the number of Kustomizations, not with its square. */
function benchSize(): void {
  const found = [0, 250, 500].map((count) => {
    const copy = repositoryWith(count)
    try {
      // Findings (quotas, runbooks) are expected of what is made up: exit 3 is no failure here.
      return { count, ...timeAndResources(['validate', '--repo', copy], [0, 3]) }
    } finally {
      rmSync(copy, { recursive: true })
    }
  })
  const [none, half, whole] = found
  if (!none || !half || !whole) return
  row(
    `memory of k8sops with ${whole.count} Kustomizations more`,
    `${whole.mb.toFixed(0)} MB`,
    '<= 300 MB',
    whole.mb <= 300,
  )
  const growth = (whole.seconds - half.seconds) / (half.seconds - none.seconds)
  const seconds = found.map((one) => one.seconds.toFixed(1)).join(', ')
  row('time with 0, 250 and 500 more', `${seconds} s, growth ${growth.toFixed(2)}`, '<= 1.5', growth <= 1.5)
  // Of k8sops alone, as the kernel accounts it: what else the machine does, and how long registries let flate wait, is not in it.
  const own = (whole.cpuSeconds - half.cpuSeconds) / (half.cpuSeconds - none.cpuSeconds)
  const cpu = found.map(({ cpuSeconds }) => cpuSeconds.toFixed(1)).join(', ')
  row('processor time of k8sops itself', `${cpu} s, growth ${own.toFixed(2)}`, '<= 1.5', own <= 1.5)
}
