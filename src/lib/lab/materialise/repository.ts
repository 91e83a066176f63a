/** The copy's own git history: one commit, on the branches that clusters follow. Nothing of the operator's git is used. */
import { execFile } from 'node:child_process'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { layout } from '../../repo/layout.ts'

const run = promisify(execFile)

/** Without the operator's configuration: its hooks, signing, templates and identity have no place here. */
const gitEnv = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'k8sops lab',
  GIT_AUTHOR_EMAIL: 'lab@k8sops.invalid',
  GIT_COMMITTER_NAME: 'k8sops lab',
  GIT_COMMITTER_EMAIL: 'lab@k8sops.invalid',
}

/**
 * Commits everything in `root`.
 * @param branches the first is checked out, the others point at the same commit
 * @returns the commit
 */
export async function commitAll(root: string, branches: string[], message: string): Promise<string> {
  const env = { ...process.env, ...gitEnv }
  const git = async (...args: string[]) =>
    (await run('git', args, { cwd: root, env, maxBuffer: 64 * 1024 * 1024 })).stdout.trim()
  const [first = 'main', ...others] = branches
  await git('init', '--quiet', '--initial-branch', first)
  // Later commits of the operator, made by hand in the lab, need an identity too.
  await git('config', 'user.name', gitEnv.GIT_AUTHOR_NAME)
  await git('config', 'user.email', gitEnv.GIT_AUTHOR_EMAIL)
  await git('config', 'commit.gpgsign', 'false')
  await git('config', 'core.hooksPath', '/dev/null')
  await git('config', 'gc.auto', '0')
  // Whatever the repository's own .gitignore says, runs and generated configs are never committed here.
  await appendFile(join(root, '.git', 'info', 'exclude'), `/${layout.state}/\nclusterconfig/\n`)
  await git('add', '--all')
  await git('commit', '--quiet', '--message', message)
  for (const branch of others) await git('branch', '--force', branch)
  return git('rev-parse', 'HEAD')
}

/** HEAD of the repository that is rehearsed, or `none` before its first commit. */
export async function headOf(source: string): Promise<string> {
  try {
    return (await run('git', ['rev-parse', 'HEAD'], { cwd: source })).stdout.trim()
  } catch {
    return 'none'
  }
}
