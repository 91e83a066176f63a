/** Argv that asks Flux' controllers to look at objects now, and of flux 2.9 for what only it knows. */
import type { Command } from '../types.ts'
import { fieldManager } from './kubectl-hold.args.ts'

/** Asked for with a token; the controller writes the token into its status once it has dealt with it. */
export const requestKey = 'reconcile.fluxcd.io/requestedAt'
/** Of a HelmRelease: forget the failures (`reset`), and upgrade once even if nothing changed (`force`). Same token as the request. */
export const resetKey = 'reconcile.fluxcd.io/resetAt'
export const forceKey = 'reconcile.fluxcd.io/forceAt'

export interface ReconcileRequest {
  /** `kustomizations.v1.kustomize.toolkit.fluxcd.io` */
  resource: string
  namespace: string
  names: string[]
  token: string
  reset: boolean
  force: boolean
}

/** One request each; `flux reconcile` takes one object at a time, and waits for it. */
export function reconcileArgs(context: string, request: ReconcileRequest): Command {
  const { resource, namespace, names, token, reset, force } = request
  const keys = [requestKey, ...(reset ? [resetKey] : []), ...(force ? [forceKey] : [])]
  const flags = ['--overwrite', '--field-manager', fieldManager]
  const values = keys.map((key) => `${key}=${token}`)
  return {
    tool: 'kubectl',
    args: ['--context', context, '-n', namespace, 'annotate', resource, ...names, ...values, ...flags],
  }
}

const flux = (context: string, args: string[]): Command => ({ tool: 'flux', args: ['--context', context, ...args] })

/** Exit code 1: the live objects differ; 2 and above: it could not tell. */
export function diffKustomizationArgs(context: string, namespace: string, name: string, path: string): Command {
  return flux(context, ['-n', namespace, 'diff', 'kustomization', name, '--path', path, '--progress-bar=false'])
}

export interface LogRequest {
  kind?: string
  name?: string
  namespace?: string
  since: string
  level?: string
  follow: boolean
}

export function logsArgs(context: string, { kind, name, namespace, since, level, follow }: LogRequest): Command {
  const of = [...(kind ? ['--kind', kind] : []), ...(name ? ['--name', name] : [])]
  const where = namespace ? ['-n', namespace] : ['-A']
  const which = ['--since', since, ...(level ? ['--level', level] : []), ...(follow ? ['--follow'] : [])]
  return flux(context, ['logs', ...where, ...of, ...which])
}
