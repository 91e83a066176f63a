/** GitHub's REST API, as far as a commit's checks go. Everything else about a rollout is plain git. */
import type { Result } from '../types.ts'

export interface GithubAccess {
  /** `https://api.github.com`, or that of an Enterprise server. */
  api: string
  token: string
}

/** Name of the check, in branch protection rules too. */
export const checkName = 'k8sops rollout'

/** `owner/name` of a remote at GitHub, by SSH or HTTPS; undefined for one elsewhere. */
export function githubRepository(url: string, host = 'github.com'): string | undefined {
  const [, found, path] =
    /^(?:ssh:\/\/)?(?:https?:\/\/)?(?:[^@/]+@)?([^:/]+)(?::\d+(?=\/))?[:/](.+?)(?:\.git)?\/?$/.exec(url.trim()) ?? []
  return found === host && /^[^/]+\/[^/]+$/.test(path ?? '') ? path : undefined
}

/** The token that the environment has for it: GITHUB_TOKEN as in Actions, or gh's own. */
export function githubAccess(env: NodeJS.ProcessEnv): GithubAccess | undefined {
  const token = env.GITHUB_TOKEN || env.GH_TOKEN
  return token ? { api: env.GITHUB_API_URL || 'https://api.github.com', token } : undefined
}

/** A completed check run; `id` tells it from others of the same commit. */
export interface CheckRun {
  repository: string
  commit: string
  id: string
  title: string
  summary: string
}

/** Needs `checks: write`, which an App's token has (in Actions: `permissions: {checks: write}`), and no personal token. */
export async function postCheck(access: GithubAccess, check: CheckRun, signal?: AbortSignal): Promise<Result<string>> {
  const { repository, commit, id, title, summary } = check
  const body = {
    name: checkName,
    head_sha: commit,
    external_id: id,
    status: 'completed',
    conclusion: 'success',
    output: { title, summary },
  }
  return call(access, 'POST', `/repos/${repository}/check-runs`, signal, body)
}

/** Ids of the commit's checks of this name. */
export async function checkIds(
  access: GithubAccess,
  repository: string,
  commit: string,
  signal?: AbortSignal,
): Promise<Result<string[]>> {
  const path = `/repos/${repository}/commits/${commit}/check-runs?check_name=${encodeURIComponent(checkName)}&per_page=100`
  const read = await call(access, 'GET', path, signal)
  if (!read.ok) return read
  const { check_runs: runs } = JSON.parse(read.value) as { check_runs: { external_id: string | null }[] }
  return { ok: true, value: runs.flatMap(({ external_id: id }) => id ?? []) }
}

async function call(
  { api, token }: GithubAccess,
  method: string,
  path: string,
  signal?: AbortSignal,
  body?: object,
): Promise<Result<string>> {
  const limit = AbortSignal.timeout(20_000)
  try {
    const response = await fetch(`${api}${path}`, {
      method,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        'x-github-api-version': '2022-11-28',
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
    const text = await response.text()
    if (response.ok) return { ok: true, value: text }
    const { status } = response
    const why =
      status === 401 || status === 403
        ? 'denied'
        : status === 404
          ? 'not-found'
          : status >= 500
            ? 'unreachable'
            : 'failed'
    return { ok: false, why, detail: `GitHub answers HTTP ${status}: ${messageOf(text)}` }
  } catch (error) {
    return { ok: false, why: 'unreachable', detail: `${api}: ${(error as Error).message}` }
  }
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text.slice(0, 200)
  }
}
