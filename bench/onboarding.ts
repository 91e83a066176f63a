/** What a newcomer waits for: the size of what is installed, an application in a repository, an empty directory to a Ready cluster. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers } from '../test/helpers/newcomer.ts'
import { cli, median, root, row, tarball, time } from './measure.ts'

export function benchOnboarding(): void {
  const mb = statSync(tarball).size / 2 ** 20
  row('tarball, without the tool-chain', `${mb.toFixed(2)} MB`, '<= 5 MB', mb <= 5)
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-bench-onboarding-'))
  try {
    benchAppNew(join(directory, 'copy'))
    benchNewcomer(join(directory, 'clusters'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function benchAppNew(copy: string): void {
  execFileSync('git', ['clone', '--quiet', root, copy])
  const asked = ['--cluster', 'apps', '--namespace', 'business', '--port', '8080', '--volume', '5Gi', '--database']
  const times = Array.from({ length: 9 }, (_, number) => {
    const name = `wiki${number}`
    const image = ['--image', 'ghcr.io/acme/wiki:1.2.3', '--host', name]
    return time({ name, command: [process.execPath, cli, 'app', 'new', name, ...asked, ...image, '--repo', copy] })
  })
  const ms = median(times.slice(1))
  row('app new, with a route, a volume and a database', `${ms.toFixed(0)} ms`, '< 300 ms', ms < 300)
}

function benchNewcomer(clusters: string): void {
  const lab = ['--cluster', 'home', '--lab-name', 'bench-newcomer', '--repo', clusters]
  const git = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@b.c', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@b.c' }
  const seconds = (...args: string[]) =>
    time({ name: args[0] as string, command: [process.execPath, cli, ...args], env: git }) / 1000
  try {
    const parts = [
      seconds('init', clusters, ...answers(tarball), '--commit'),
      seconds('validate', '--repo', clusters),
      seconds('lab', 'up', ...lab),
      seconds('bootstrap', ...lab, '--lab', '--yes'),
    ]
    const all = parts.reduce((sum, part) => sum + part, 0)
    const told = `${parts.map((part) => part.toFixed(1)).join(' + ')} = ${all.toFixed(0)} s`
    row('init, validate, lab up, bootstrap: to Ready', told, '<= 300 s', all <= 300)
  } finally {
    seconds('lab', 'down', ...lab.slice(0, 4))
  }
}
