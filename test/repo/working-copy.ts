/** This repository's files in a place where a command may write, and the command line that works on them. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commands, topics } from '../../src/commands/index.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const parts = ['.github', '.sops.yaml', 'bootstrap', 'docs', 'k8sops.yaml', 'kubernetes', 'lab', 'talos', 'terraform']

export function workingCopy() {
  const root = mkdtempSync(join(tmpdir(), 'k8sops-copy-'))
  // flate finds the root by the .git that every checkout has.
  mkdirSync(join(root, '.git'))
  for (const part of parts) cpSync(join(projectRoot, part), join(root, part), { recursive: true })
  return {
    root,
    /** Offline, with the pinned tools. */
    k8sops: (...args: string[]) =>
      runCli([...args, '--repo', root], {
        entries: commands,
        topics,
        services: createServices(join(projectRoot, 'bin')),
        env: { ...process.env, ...offline, GITHUB_ACTIONS: '' },
      }),
    read: (file: string) => readFileSync(join(root, file), 'utf8'),
    list: (directory: string) => readdirSync(join(root, directory)),
    remove: () => rmSync(root, { recursive: true }),
  }
}
