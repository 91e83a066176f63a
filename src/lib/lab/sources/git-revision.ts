/** What source-controller does with a git repository: finds the commit of a reference and packs its tree. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packTgz } from '../charts/archive.ts'

/** `spec.ref` of a GitRepository; the most specific field wins, in the order below (Flux API reference). */
export interface GitReference {
  commit?: string
  name?: string
  semver?: string
  tag?: string
  branch?: string
}

/** A reference that the repository doesn't have, in the words that source-controller gets from its git library. */
export class UnknownReferenceError extends Error {}

/** Finds the commit. Throws UnknownReferenceError. Returns the revision as Flux writes it: `main@sha1:<commit>`. */
export async function resolveReference(
  repository: string,
  reference: GitReference = {},
): Promise<{ commit: string; revision: string }> {
  const { commit, name, semver, tag } = reference
  if (semver) throw new UnknownReferenceError(`the lab's source server can't select tags by semver '${semver}'`)
  const branch = reference.branch ?? 'master'
  const wanted = commit ?? name ?? (tag ? `refs/tags/${tag}` : `refs/heads/${branch}`)
  const found = await git(repository, ['rev-parse', '--verify', '--quiet', `${wanted}^{commit}`])
  const sha = found.output.toString('utf8').trim()
  if (found.code !== 0 || !sha) {
    if (commit) throw new UnknownReferenceError(`failed to resolve commit object for '${commit}': object not found`)
    if (name) throw new UnknownReferenceError(`couldn't find remote ref "${name}"`)
    throw new UnknownReferenceError(`couldn't find remote ref "${wanted}"`)
  }
  const label = commit ? (reference.branch ?? '') : (name ?? tag ?? branch)
  return { commit: sha, revision: label ? `${label}@sha1:${sha}` : `sha1:${sha}` }
}

/** fluxcd/pkg/sourceignore v0.18: what is never part of an artifact unless `ignore` takes it back with `!`. */
const defaultIgnore = [
  '.git/',
  '.gitignore',
  '.gitmodules',
  '.gitattributes',
  '*.jpg',
  '*.jpeg',
  '*.gif',
  '*.png',
  '*.wmv',
  '*.flv',
  '*.tar.gz',
  '*.zip',
  '.github/',
  '.circleci/',
  '.travis.yml',
  '.gitlab-ci.yml',
  'appveyor.yml',
  '.drone.yml',
  'cloudbuild.yaml',
  'codeship-services.yml',
  'codeship-steps.yml',
  '**/.goreleaser.yml',
  '**/.sops.yaml',
  '**/.flux.yaml',
]

/**
 * The files of a commit as a .tar.gz, regular files only, without what source-controller leaves out.
 * @param ignore `spec.ignore`, in .gitignore syntax
 */
export async function packCommit(repository: string, commit: string, ignore = ''): Promise<Buffer> {
  const tree = await git(repository, ['ls-tree', '-r', '-z', '--full-tree', commit])
  if (tree.code !== 0) throw new Error(`git ls-tree ${commit}: ${tree.error}`)
  const entries = tree.output
    .toString('utf8')
    .split('\0')
    .flatMap((line) => {
      const [, mode, sha = '', path = ''] = /^(\d+) \w+ (\w+)\t(.*)$/s.exec(line) ?? []
      return mode?.startsWith('100') ? [{ sha, path }] : []
    })
  const own = await git(repository, ['cat-file', 'blob', `${commit}:.sourceignore`])
  const rules = [...defaultIgnore, own.code === 0 ? own.output.toString('utf8') : '', ignore].join('\n')
  const ignored = await ignoredPaths(
    rules,
    entries.map(({ path }) => path),
  )
  const kept = entries.filter(({ path }) => !ignored.has(path))
  const blobs = await readBlobs(
    repository,
    kept.map(({ sha }) => sha),
  )
  return packTgz(new Map(kept.map(({ path }, index) => [path, blobs[index] ?? Buffer.alloc(0)])))
}

/** git itself judges its own syntax, in an empty repository so that no .gitignore but ours counts. */
async function ignoredPaths(rules: string, paths: string[]): Promise<Set<string>> {
  const empty = await mkdtemp(join(tmpdir(), 'k8sops-ignore-'))
  try {
    await git(empty, ['init', '--quiet'])
    await writeFile(join(empty, 'rules'), rules)
    const check = ['-c', 'core.excludesFile=rules', 'check-ignore', '--no-index', '-z', '--stdin']
    const { output } = await git(empty, check, paths.join('\0'))
    return new Set(output.toString('utf8').split('\0').filter(Boolean))
  } finally {
    await rm(empty, { recursive: true, force: true })
  }
}

/** `git cat-file --batch` answers each name with a line that ends in the size, the content, and a line feed. */
async function readBlobs(repository: string, names: string[]): Promise<Buffer[]> {
  const { code, output, error } = await git(repository, ['cat-file', '--batch'], names.join('\n'))
  if (code !== 0) throw new Error(`git cat-file --batch: ${error}`)
  const blobs: Buffer[] = []
  for (let at = 0; at < output.length; ) {
    const lineEnd = output.indexOf(10, at)
    const size = Number(output.toString('utf8', at, lineEnd).split(' ').at(-1))
    blobs.push(output.subarray(lineEnd + 1, lineEnd + 1 + size))
    at = lineEnd + 1 + size + 1
  }
  return blobs
}

async function git(
  directory: string,
  args: string[],
  input = '',
): Promise<{ code: number; output: Buffer; error: string }> {
  const { GIT_DIR: _, GIT_WORK_TREE: __, GIT_INDEX_FILE: ___, ...env } = process.env
  const child = spawn('git', ['-C', directory, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const { promise: exited, resolve, reject } = Promise.withResolvers<number>()
  child.once('error', reject)
  child.once('close', (code) => resolve(code ?? 1))
  const output: Buffer[] = []
  const error: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => error.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await exited
  return { code, output: Buffer.concat(output), error: Buffer.concat(error).toString('utf8').trim() }
}
