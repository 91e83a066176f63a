/** This repository's files in a place where a command may write, and the command line that works on them. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commands, topics } from '../../src/commands/index.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const parts = ['.github', '.sops.yaml', 'bootstrap', 'docs', 'k8sops.yaml', 'kubernetes', 'lab', 'talos', 'terraform']

export type WorkingCopy = ReturnType<typeof workingCopy>

export function workingCopy() {
  const root = mkdtempSync(join(tmpdir(), 'k8sops-copy-'))
  // flate finds the root by the .git that every checkout has.
  mkdirSync(join(root, '.git'))
  for (const part of parts) cpSync(join(projectRoot, part), join(root, part), { recursive: true })
  const run = (args: string[], env: NodeJS.ProcessEnv, answer?: string) =>
    runCli([...args, '--repo', root], {
      entries: commands,
      topics,
      cwd: root,
      services: createServices(join(projectRoot, 'bin')),
      env: { ...process.env, ...offline, GITHUB_ACTIONS: '', KUBECONFIG: '/nonexistent/kubeconfig', ...env },
      ...(answer === undefined ? {} : { answer }),
    })
  return {
    root,
    /** Offline, with the pinned tools. */
    k8sops: (...args: string[]) => run(args, {}),
    /** With more in the environment: a registry that answers. */
    within: (env: NodeJS.ProcessEnv, ...args: string[]) => run(args, env),
    /** On a terminal, where these lines are typed; not in CI, unless the environment says so. */
    typed: (lines: string[], env: NodeJS.ProcessEnv, ...args: string[]) =>
      run(args, { CI: '', ...env }, lines.join('\n')),
    read: (file: string) => readFileSync(join(root, file), 'utf8'),
    list: (directory: string) => readdirSync(join(root, directory)),
    remove: () => rmSync(root, { recursive: true }),
  }
}

/** What has been written below `root` since, apart from what git ignores. */
export function changesOf(root: string) {
  const entries = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
      .filter(({ path }) => !/^(\.git|\.k8sops)(\/|$)/.test(path.slice(root.length + 1)))
  const files = () => entries().flatMap(({ entry, path }) => (entry.isFile() ? [path] : []))
  const directories = () => entries().flatMap(({ entry, path }) => (entry.isDirectory() ? [path] : []))
  /** Changes with every write: a thousand files need not be read for each question. */
  const stamp = (file: string) => {
    const { ino, mtimeMs, size } = statSync(file)
    return `${ino} ${mtimeMs} ${size}`
  }
  const before = new Map(files().map((file) => [file, { stamp: stamp(file), text: readFileSync(file, 'utf8') }]))
  const had = new Set(directories())
  const isSame = (file: string) => {
    const was = before.get(file)
    return was !== undefined && (was.stamp === stamp(file) || was.text === readFileSync(file, 'utf8'))
  }
  const differing = () => {
    const now = new Set(files())
    return [...[...now].filter((file) => !isSame(file)), ...[...before.keys()].filter((file) => !now.has(file))]
  }
  return {
    /** Paths from the root. */
    made: () => differing().map((file) => file.slice(root.length + 1)),
    takeBack: () => {
      for (const file of differing()) {
        const was = before.get(file)
        if (was === undefined) rmSync(file)
        else writeFileSync(file, was.text)
      }
      for (const made of directories().filter((one) => !had.has(one))) rmSync(made, { recursive: true, force: true })
    },
  }
}
