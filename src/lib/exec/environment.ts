/** The environment that children get: named variables, not whatever the operator's shell happens to hold. */
import { delimiter } from 'node:path'
import type { ToolName } from '../types.ts'

const passed = new Set([
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TERM',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
  'K8SOPS_CACHE',
])
const passedPatterns = [/^LC_/, /^XDG_/, /^GIT_/, /^(https?|no|all)_proxy$/i]
/** 1Password's sign-in; no other tool has a use for it. */
const onlyForOp = /^OP_/
/**
 * kubectl ends before what it has taken is worth collecting: a quarter of the processor time of a patch went into that (1.35, 74 of which
 * 57 ms are left). One that reads much still collects, at five times what it keeps and not at twice.
 */
const forKubectl = { GOGC: '400' }
/** Only this program itself, as a filter, talks to GitHub. */
const onlyForUs = /^(GITHUB_TOKEN|GH_TOKEN|GITHUB_API_URL)$/

export interface ChildEnvironment {
  env: Record<string, string>
  /** In addition, for one tool. */
  toolEnv: Partial<Record<ToolName, Record<string, string>>>
}

/** @param extra of the target; wins */
export function childEnvironment(own: NodeJS.ProcessEnv, extra: Record<string, string>): ChildEnvironment {
  const entries = Object.entries(own).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const select = (test: (name: string) => boolean) => Object.fromEntries(entries.filter(([name]) => test(name)))
  return {
    env: { ...select((name) => passed.has(name) || passedPatterns.some((pattern) => pattern.test(name))), ...extra },
    toolEnv: {
      op: select((name) => onlyForOp.test(name)),
      k8sops: select((name) => onlyForUs.test(name)),
      kubectl: forKubectl,
    },
  }
}

/**
 * PATH of children: what the target puts first, then the pinned tools and this program, then the operator's own, so that
 * `helm` started by helmfile is the pinned one unless the target says otherwise.
 */
export function childPath(targetPath: string | undefined, ours: string[], own: string | undefined): string {
  const parts = (path: string | undefined) => (path ?? '').split(delimiter).filter(Boolean)
  const inherited = parts(own)
  const first = parts(targetPath).filter((directory) => !inherited.includes(directory))
  return [...new Set([...first, ...ours, ...inherited])].join(delimiter)
}
