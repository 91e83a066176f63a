import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { completeApp, completeDatabase } from '../../src/lib/cli/app-option.ts'
import { candidates } from '../../src/lib/cli/complete.ts'
import { completionScript } from '../../src/lib/cli/completion-scripts.ts'
import { defineCommand } from '../../src/lib/cli/define.ts'
import type { Repository } from '../../src/lib/config/load.ts'

const root = join(import.meta.dirname, '../..')
const suspend = defineCommand({
  path: 'flux suspend',
  summary: 'Suspend an app',
  effect: 'write',
  args: { app: 'name', 'more...?': 'others' },
  completeArgs: {
    app: async ({ repository }) => (await repository())!.clusters.map(({ name }) => `app-${name}`),
  },
  options: [{ flags: '--reason <text>', description: 'why', complete: () => ['maintenance', 'migration'] }],
  examples: [],
  plan: () => Promise.reject(new Error('not planned here')),
})
const entries = [
  { path: suspend.path, summary: suspend.summary, load: async () => suspend },
  { path: 'flux status', summary: 'Status', load: () => Promise.reject(new Error('not needed')) },
  { path: 'doctor', summary: 'Check', load: () => Promise.reject(new Error('not needed')) },
  { path: '__complete', summary: '', hidden: true as const, load: () => Promise.reject(new Error('not needed')) },
]
const names = async (...words: string[]) =>
  (
    await candidates(
      words,
      entries,
      { flux: 'Flux objects' },
      {
        cwd: join(root, 'docs'),
        loadRepository: async () => ({ clusters: [{ name: 'apps' }, { name: 'infra' }] }) as Repository,
      },
    )
  ).map((line) => line.split('\t')[0])

describe('candidates', () => {
  test('commands and topics, with what they are about, and no hidden ones', async () => {
    expect(
      await candidates([''], entries, { flux: 'Flux objects' }, { cwd: '/', loadRepository: () => Promise.reject() }),
    ).toEqual(['flux\tFlux objects', 'doctor\tCheck'])
    expect(await names('flux', 's')).toEqual(['suspend', 'status'])
    expect(await names('d')).toEqual(['doctor'])
  })
  test('option names, also after an argument', async () => {
    expect(await names('flux', 'suspend', '--dry')).toEqual(['--dry-run'])
    expect(await names('flux', 'suspend', 'x', '--cl')).toEqual(['--cluster'])
  })
  test('option values: choices, clusters as directories, names from the repository; also after =', async () => {
    expect(await names('flux', 'suspend', '-o', '')).toEqual(['table', 'wide', 'json', 'yaml', 'name'])
    expect(await names('flux', 'suspend', '--cluster', '')).toEqual(['apps', 'infra'])
    expect(await names('flux', 'suspend', '--cluster=a')).toEqual(['--cluster=apps'])
    expect(await names('flux', 'suspend', '--reason', 'mi')).toEqual(['migration'])
  })
  test('arguments from the repository; options and their values are not counted as arguments', async () => {
    expect(await names('flux', 'suspend', '')).toEqual(['app-apps', 'app-infra'])
    expect(await names('flux', 'suspend', '--cluster', 'apps', 'app-i')).toEqual(['app-infra'])
    expect(await names('flux', 'suspend', 'app-apps', '')).toEqual([])
  })
  test('whatever goes wrong, a Tab only stays silent', async () => {
    expect(await names('doctor', '--')).toEqual([])
  })
})

describe('scripts', () => {
  test('bash completes through the real program', () => {
    const script = `${completionScript('bash')}
      k8sops() { "$NODE" "$BIN" "$@"; }
      COMP_WORDS=(k8sops run re); COMP_CWORD=2; _k8sops; printf '%s\\n' "\${COMPREPLY[@]}"
      COMP_WORDS=(k8sops run resume --cluster ''); COMP_CWORD=4; _k8sops; printf '%s\\n' "\${COMPREPLY[@]}"`
    const env = { ...process.env, NODE: process.execPath, BIN: join(root, 'bin/k8sops.js') }
    expect(execFileSync('bash', ['-c', script], { encoding: 'utf8', env, cwd: root })).toBe('resume\napps\ninfra\n')
  })

  const shells = { zsh: ['-n'], fish: ['--no-execute'], bash: ['-n'] }
  test.each(Object.entries(shells))('the %s script asks the program', (shell) => {
    expect(completionScript(shell)).toContain('k8sops __complete -- ')
  })

  for (const [shell, flags] of Object.entries(shells)) {
    const path = ['/usr/bin', '/bin'].map((dir) => join(dir, shell)).find(existsSync)
    // Skipped, and counted as such, on a machine without that shell.
    test.runIf(path)(`the ${shell} script is good syntax`, () => {
      const file = join(mkdtempSync(join(tmpdir(), 'k8sops-completion-')), shell)
      writeFileSync(file, completionScript(shell))
      execFileSync(path!, [...flags, file])
      rmSync(dirname(file), { recursive: true })
    })
  }

  test('another shell is a usage error', () => {
    expect(() => completionScript('tcsh')).toThrow('no completion for tcsh')
  })
})

test('applications are named by their directories, and nowhere is no repository', () => {
  const apps = completeApp.app({ root, repository: () => Promise.reject(new Error('not needed')) })
  expect(apps).toEqual(
    expect.arrayContaining(['coredns', 'onepassword-store', 'prometheus-operator-crds', 'infrastructure']),
  )
  expect(completeApp.app({ root: undefined, repository: () => Promise.reject(new Error('not needed')) })).toEqual([])
})

test('databases are those of the repository', () => {
  const repository = () => Promise.reject(new Error('not needed'))
  expect(completeDatabase.database({ root, repository })).toEqual(['postgres'])
  expect(completeDatabase.database({ root: undefined, repository })).toEqual([])
})
