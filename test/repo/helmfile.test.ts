import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { listedReleases } from '../../src/lib/ops/bootstrap-files.ts'
import { isHelmRelease } from '../../src/lib/repo/releases.ts'
import { renderCluster } from '../../src/lib/repo/render.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import { projectRoot, runTool, toolPath } from './tool.ts'

const scratch = mkdtempSync(join(tmpdir(), 'k8sops-helmfile-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** The real helmfile, and helm but for `pull`: registries are out of reach, and an empty chart of that name will do for values. */
function helmWithoutRegistry(): string {
  const path = join(scratch, 'helm')
  writeFileSync(
    path,
    `#!/bin/sh
[ "$1" = pull ] || exec '${toolPath('helm')}' "$@"
ref=$2
while [ $# -gt 0 ]; do
  case $1 in --destination) destination=$2 ;; --version) version=$2 ;; esac
  shift
done
mkdir -p "$destination/\${ref##*/}"
printf 'apiVersion: v2\\nname: %s\\nversion: %s\\n' "\${ref##*/}" "$version" > "$destination/\${ref##*/}/Chart.yaml"
`,
  )
  chmodSync(path, 0o755)
  return path
}

interface HelmfileRelease {
  name: string
  namespace: string
  chart: string
  version: string
}

const clusters = ['infra', 'apps']
const helmfiles = ['00-crds', '01-apps']

test.each(clusters.flatMap((cluster) => helmfiles.map((file) => [file, cluster] as const)))(
  'helmfile %s installs on %s exactly what Flux reconciles',
  async (name, cluster) => {
    const file = `bootstrap/helmfile.d/${name}.yaml.gotmpl`
    const home = join(scratch, `${name}-${cluster}`)
    mkdirSync(home)
    const path = [
      join(projectRoot, 'bin'),
      dirname(process.execPath),
      dirname(toolPath('kustomize')),
      process.env.PATH,
    ].join(delimiter)
    const env = {
      HOME: home,
      PATH: path,
      K8SOPS_CACHE: process.env.K8SOPS_CACHE ?? '',
      XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? '',
    }
    const helmfile = (...args: string[]) =>
      runTool('helmfile', ['--quiet', '--helm-binary', helmWithoutRegistry(), '-f', file, '-e', cluster, ...args], {
        cwd: projectRoot,
        env,
      })

    const listed = JSON.parse(helmfile('list', '--output', 'json')) as HelmfileRelease[]
    helmfile(
      'write-values',
      '--output-file-template',
      join(home, 'values/{{ .Release.Namespace }}/{{ .Release.Name }}.yaml'),
    )
    expect(listed.length).toBeGreaterThan(4)
    // Bootstrap makes a step for each release from the template's own list, without running helmfile.
    const steps = listedReleases(readFileSync(join(projectRoot, file), 'utf8')).map((one) => one.name)
    expect(steps.toSorted()).toEqual(listed.map((one) => `${one.namespace}/${one.name}`).toSorted())

    const rendered = await renderCluster(projectRoot, cluster, { kustomize: kustomizeBuild(process.env) })
    const objects = rendered.flatMap(({ manifests }) => manifests)
    for (const { name: releaseName, namespace, chart, version } of listed) {
      const release = objects
        .filter(isHelmRelease)
        .map((one) => one.object())
        .find(({ metadata }) => metadata.name === releaseName && metadata.namespace === namespace)
      const { chartRef, values } = (release?.spec ?? {}) as { chartRef?: { name: string }; values?: object }
      const source = objects
        .map((one) => one.kind === 'OCIRepository' && one.object())
        .find((one) => one && one.metadata.name === chartRef?.name && one.metadata.namespace === namespace)
      const spec = (source || undefined)?.spec as { url: string; ref: { tag: string } } | undefined
      const written = parse(readFileSync(join(home, 'values', namespace, `${releaseName}.yaml`), 'utf8')) as unknown
      expect({ releaseName, chart, version, values: written ?? {} }).toEqual({
        releaseName,
        chart: spec?.url,
        version: spec?.ref.tag,
        values: values ?? {},
      })
    }
  },
)
