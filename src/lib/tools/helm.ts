/** helm 4 as a reader of charts: pulls one, and renders it without a cluster. Nothing here writes to one. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigError, ToolError } from '../errors.ts'
import { cacheRoot } from './cache-root.ts'
import { resolveTool } from './resolve.ts'

const run = promisify(execFile)

/** Directory with real chart archives, `<name>-<version>.tgz`, that whoever can reach a registry may fill. */
export function chartCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheRoot(env), 'charts')
}

/** helm waits for ever for a registry that accepts the connection and says nothing. */
const pullSeconds = 30

export interface ChartRendering {
  /** An archive, or a directory with Chart.yaml. */
  chart: string
  release: string
  namespace: string
  kubernetesVersion: string
  /** A file with values. */
  values: string
}

export interface Helm {
  /**
   * Puts the chart into a directory, as `<into>/<chart>`, from the cache of archives if it is there.
   * @param url `oci://host/path/chart`
   * @param version the newest without it
   * @returns the chart's directory
   */
  pull: (url: string, version: string | undefined, into: string) => Promise<string>
  /** @returns manifests as a stream of YAML documents, CRDs included, tests left out */
  template: (rendering: ChartRendering) => Promise<string>
}

export const pullArgs = (url: string, version: string | undefined, into: string): string[] => [
  'pull',
  url,
  ...(version === undefined ? [] : ['--version', version]),
  '--untar',
  '--untardir',
  into,
]

/** Kinds that charts ask for before they print them: every cluster here has the operator's CRDs. */
export const chartTemplateArgs = ({
  chart,
  release,
  namespace,
  kubernetesVersion,
  values,
}: ChartRendering): string[] => [
  'template',
  release,
  chart,
  '--namespace',
  namespace,
  '--kube-version',
  kubernetesVersion,
  ...['', '/ServiceMonitor', '/PodMonitor', '/PrometheusRule'].flatMap((kind) => [
    '--api-versions',
    `monitoring.coreos.com/v1${kind}`,
  ]),
  '--values',
  values,
  '--include-crds',
  '--skip-tests',
]

/** @throws ConfigError when the pinned helm is not on this machine; its functions reject with ToolError */
export function helm(env: NodeJS.ProcessEnv, signal?: AbortSignal): Helm {
  const tool = resolveTool('helm', { env })
  if (!tool) throw new ConfigError('helm is not installed in the pinned version', [], { next: 'npm run setup' })
  const call = async (program: string, args: string[]): Promise<string> => {
    const options = { env, maxBuffer: 64 * 2 ** 20, timeout: pullSeconds * 1000, ...(signal ? { signal } : {}) }
    try {
      return (await run(program, args, options)).stdout
    } catch (cause) {
      const { stderr = '', killed } = cause as { stderr?: string; killed?: boolean }
      const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Use --debug'))
      const said = lines.at(-1)?.replace(/^Error: /, '')
      const reason = killed ? `no answer in ${pullSeconds} s` : said || String(cause)
      throw new ToolError(reason, { command: `helm ${args.join(' ')}`, cause })
    }
  }
  return {
    async pull(url, version, into) {
      const archive = join(chartCache(env), `${url.split('/').at(-1)}-${version}.tgz`)
      if (version !== undefined && existsSync(archive)) await call('tar', ['-xzf', archive, '-C', into])
      else await call(tool.path, pullArgs(url, version, into))
      const unpacked = (await readdir(into, { withFileTypes: true })).find((entry) => entry.isDirectory())
      if (!unpacked) throw new ToolError('helm pulled nothing', { command: `helm pull ${url}` })
      return join(into, unpacked.name)
    },
    template: (rendering) => call(tool.path, chartTemplateArgs(rendering)),
  }
}
