/** This repository's files in a place where a command may write, and the command line that works on them. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
      env: { ...process.env, ...offline, GITHUB_ACTIONS: '', KUBECONFIG: '/nonexistent', ...env },
      ...(answer === undefined ? {} : { answer }),
    })
  return {
    root,
    /** Offline, with the pinned tools. */
    k8sops: (...args: string[]) => run(args, {}),
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
  const texts = () =>
    new Map(
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .filter((file) => !/^(\.git|\.k8sops)\//.test(file.slice(root.length + 1)))
        .map((file) => [file, readFileSync(file, 'utf8')]),
    )
  const directories = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name))
  const [before, had] = [texts(), new Set(directories())]
  const differing = () => {
    const now = texts()
    return [...new Set([...before.keys(), ...now.keys()])].filter((file) => before.get(file) !== now.get(file))
  }
  return {
    /** Paths from the root. */
    made: () => differing().map((file) => file.slice(root.length + 1)),
    takeBack: () => {
      for (const file of differing()) {
        const text = before.get(file)
        if (text === undefined) rmSync(file)
        else writeFileSync(file, text)
      }
      for (const made of directories().filter((one) => !had.has(one))) rmSync(made, { recursive: true, force: true })
    },
  }
}
