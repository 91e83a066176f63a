/**
 * flate 0.6 as a reader: renders a cluster's Flux objects, charts included, without a cluster. It is AGPL, and a program of its
 * own: nothing of it is linked. Its flags say 1.37 for Kubernetes, and leave out CRDs and Secrets, unless told otherwise.
 */
import { execFile } from 'node:child_process'
import { ConfigError } from '../errors.ts'
import { resolveTool } from './resolve.ts'

export interface FlateRequest {
  /** The repository's root. */
  root: string
  /** The cluster's directory, relative to it: flate reads Flux objects there and what they lead to. */
  path: string
  kubernetesVersion: string
  signal?: AbortSignal | undefined
}

export interface FlateResult {
  /** What it rendered, in its own order; empty when nothing could be. */
  objects: unknown[]
  /** What it says of what it could not render: `HelmRelease ns/name` -> reason. It exits 1 for any of them. */
  failures: Map<string, string>
}

export type Flate = (request: FlateRequest) => Promise<FlateResult>

export const flateArgs = ({ path, kubernetesVersion }: Pick<FlateRequest, 'path' | 'kubernetesVersion'>): string[] => [
  'build',
  'all',
  `--path=${path}`,
  `--kube-version=${kubernetesVersion.replace(/^v/, '')}`,
  '--skip-crds=false',
  '--skip-secrets=false',
  '--source-retry-attempts=1',
  '--no-progress',
  '--output=json',
]

/** @throws ConfigError when the pinned flate is not on this machine; the function rejects when it cannot be run or prints no JSON */
export function flateBuild(env: NodeJS.ProcessEnv): Flate {
  const tool = resolveTool('flate', { env })
  if (!tool) throw new ConfigError('flate is not installed in the pinned version', [], { next: 'npm run setup' })
  return ({ root, signal, ...request }) =>
    new Promise((resolve, reject) => {
      const options = { cwd: root, env, maxBuffer: 512 * 1024 * 1024, ...(signal ? { signal } : {}) }
      execFile(tool.path, flateArgs(request), options, (error, stdout, stderr) => {
        // Exit 1 says that something could not be rendered, and what could be is there all the same.
        if (error && (typeof error.code === 'string' || error.signal)) return reject(error)
        try {
          const objects = stdout.trim() === '' ? [] : (JSON.parse(stdout) as unknown[])
          resolve({ objects, failures: failuresIn(stderr) })
        } catch (cause) {
          reject(new Error(`flate printed no JSON: ${stderr.trim().split('\n').at(-1)}`, { cause }))
        }
      })
    })
}

/** Which objects fail is known from what is missing; this is only why (flate has no machine-readable form of it). */
export function failuresIn(stderr: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, kind, name, reason] of stderr.matchAll(/^ *✗ +([A-Z]\w+) +(\S+\/\S+) +(.*)$/gm)) {
    found.set(`${kind} ${name}`, (reason ?? '').trim())
  }
  return found
}
