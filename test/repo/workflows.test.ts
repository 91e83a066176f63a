/**
 * What GitHub would run: actionlint accepts every workflow, actions are pinned and permissions small, and every `run:` line works,
 * executed as a runner would in a fixture repository: this one's files with npm scripts and packages that cost nothing.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { projectRoot, toolPath } from './tool.ts'

interface Step {
  run?: string
  uses?: string
  with?: Record<string, string>
  env?: Record<string, string>
}
interface Job {
  permissions?: Record<string, string>
  'timeout-minutes'?: number
  steps: Step[]
}
interface Workflow {
  permissions?: Record<string, string>
  jobs: Record<string, Job>
}
interface Action {
  inputs: Record<string, { default?: string }>
  runs: { steps: Step[] }
}

const directory = join(projectRoot, '.github/workflows')
const files = globSync('*.yaml', { cwd: directory }).sort()
const workflows = files.map((file) => [file, parse(readFileSync(join(directory, file), 'utf8')) as Workflow] as const)
const ownAction = (uses: string) => parse(readFileSync(join(projectRoot, uses, 'action.yaml'), 'utf8')) as Action

/** A step as a runner takes it: those of our own action, with what they are given. */
function expanded(step: Step): Step[] {
  if (!step.uses?.startsWith('./')) return [step]
  const { inputs, runs } = ownAction(step.uses)
  const inputOf = (name: string) => step.with?.[name] ?? inputs[name]?.default ?? ''
  const filled = (text: string) => text.replace(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => inputOf(name))
  return runs.steps.map(({ env = {}, ...own }) => ({
    ...own,
    env: Object.fromEntries(Object.entries(env).map(([name, text]) => [name, filled(text)])),
  }))
}

const lines = workflows.flatMap(([file, { jobs }]) =>
  Object.values(jobs)
    .flatMap(({ steps }) => steps.flatMap(expanded))
    .flatMap(({ run, env = {} }) => (run === undefined ? [] : [{ file, run, env, named: env.COMMAND ?? run }])),
)

test('actionlint has nothing to say', () => {
  expect(files.length).toBeGreaterThan(2)
  const { status, stdout, stderr } = spawnSync(toolPath('actionlint'), files, { cwd: directory, encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
})

describe.each(workflows)('%s', (_, { permissions, jobs }) => {
  test('pins its actions, ends, and may write only where it runs nothing of the pull request', () => {
    for (const { permissions: own = permissions ?? { everything: 'write' }, steps, ...job } of Object.values(jobs)) {
      const checksOut = steps.some(({ uses }) => uses?.startsWith('actions/checkout@'))
      if (checksOut) expect(own).toEqual({ contents: 'read' })
      else expect([{ 'pull-requests': 'write' }, { contents: 'write' }]).toContainEqual(own)
      expect(job['timeout-minutes']).toBeLessThanOrEqual(60)
      for (const { uses = `@${'0'.repeat(40)}` } of steps.flatMap(expanded)) expect(uses).toMatch(/@[0-9a-f]{40}$/)
    }
  })
})

describe('every line that a runner executes', () => {
  let fixture: string
  beforeAll(() => {
    fixture = mkdtempSync(join(tmpdir(), 'k8sops-workflows-'))
    const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
      cwd: projectRoot,
      encoding: 'utf8',
    })
    const wanted =
      /^(kubernetes|talos|bootstrap|docs|lab|tools|\.github)\/|^(k8sops\.yaml|\.sops\.yaml|renovate\.json5|mise\.toml)$/
    for (const file of list
      .trim()
      .split('\n')
      .filter((path) => wanted.test(path))) {
      mkdirSync(dirname(join(fixture, file)), { recursive: true })
      cpSync(join(projectRoot, file), join(fixture, file))
    }
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
    const names = Object.keys(scripts).map((name) => [name, 'true'])
    const manifest = {
      name: 'fixture',
      version: '0.0.0',
      private: true,
      type: 'module',
      scripts: Object.fromEntries(names),
    }
    writeFileSync(join(fixture, 'package.json'), JSON.stringify(manifest))
    const lock = { name: 'fixture', version: '0.0.0', lockfileVersion: 3, packages: { '': manifest } }
    writeFileSync(join(fixture, 'package-lock.json'), JSON.stringify(lock))
    mkdirSync(join(fixture, 'bin'))
    writeFileSync(join(fixture, 'bin/k8sops.js'), `import ${JSON.stringify(join(projectRoot, 'bin/k8sops.js'))}\n`)
    const git = (...args: string[]) => execFileSync('git', args, { cwd: fixture, stdio: 'pipe' })
    git('init', '--quiet', '--initial-branch=main')
    git('config', 'user.email', 'runner@example.org')
    git('config', 'user.name', 'runner')
    git('add', '--all')
    git('commit', '--quiet', '--message', 'main')
    git('update-ref', 'refs/remotes/origin/main', 'HEAD')
    // The pull request.
    const pool = join(fixture, 'kubernetes/infrastructure/configs/databases/postgres/app/cluster.yaml')
    writeFileSync(pool, readFileSync(pool, 'utf8').replace('max_connections: "200"', 'max_connections: "300"'))
    git('commit', '--quiet', '--all', '--message', 'more connections')
    writeFileSync(join(fixture, 'CHANGELOG.md'), '# Changelog\n\n## 0.0.1\n\nlater\n\n## 0.0.0\n\nnow\n')
    mkdirSync(join(fixture, 'dist'))
    mkdirSync(join(fixture, 'stand-in'))
    writeFileSync(
      join(fixture, 'stand-in/gh'),
      '#!/bin/sh\nprintf "%s\\n" "$@" > "said-of-$1"\ncat comment.md >> "said-of-$1"\n',
    )
    chmodSync(join(fixture, 'stand-in/gh'), 0o755)
  })
  afterAll(() => rmSync(fixture, { recursive: true, force: true }))

  // npx would fetch what test/repo/renovate.test.ts has in the cache already, and runs there.
  test.each(lines.filter(({ run }) => !run.startsWith('npx ')))(
    '$file: $named',
    ({ run, env }) => {
      const { status, stdout, stderr } = execute(run, fixture, env)
      expect(status, stdout + stderr).toBe(0)
    },
    300_000,
  )

  test('the comment names the change, for every cluster', () => {
    const said = readFileSync(join(fixture, 'said-of-pr'), 'utf8')
    expect(said).toMatch(/^pr\ncomment\n7\n/)
    for (const word of ['infra', 'apps', 'postgres', 'max_connections']) expect(said).toContain(word)
  })

  const act = (COMMAND: string) => {
    const [step] = ownAction('./.github/actions/k8sops').runs.steps.filter(({ env }) => env?.COMMAND)
    return execute(step?.run ?? '', fixture, { COMMAND, FINDINGS: 'fail' })
  }

  test('our action splits words as a shell does, runs nothing that is in them, and tells the exit code', () => {
    expect(act('"help" exit-codes').status).toBe(0)
    expect(act("help '$(touch stolen)'; touch stolen").status).toBe(2)
    expect(globSync('stolen', { cwd: fixture })).toEqual([])
    // What the diff above found did not fail its job.
    const told = readFileSync(join(fixture, 'outputs'), 'utf8').trim().split('\n')
    expect(told).toEqual(['exit-code=3', 'exit-code=0', 'exit-code=0', 'exit-code=2'])
  })

  test('a release tells what is new in it alone', () => {
    expect(readFileSync(join(fixture, 'dist/notes.md'), 'utf8')).toBe('## 0.0.0\n\nnow\n')
    expect(readFileSync(join(fixture, 'said-of-release'), 'utf8')).toMatch(/^release\ncreate\nv0\.0\.0\n--verify-tag\n/)
  })

  test('the version that this is has its section in the changelog', () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
    expect(readFileSync(join(projectRoot, 'CHANGELOG.md'), 'utf8')).toContain(`\n## ${version}\n`)
  })

  test('validate fails on a broken manifest, and shows where as an annotation', () => {
    const file = 'kubernetes/infrastructure/controllers/kube-system/coredns/ks.yaml'
    const text = readFileSync(join(fixture, file), 'utf8')
    writeFileSync(join(fixture, file), text.replace('/coredns/app', '/coredns/nowhere'))
    const { status, stdout, stderr } = act('validate')
    writeFileSync(join(fixture, file), text)
    expect(status).toBe(3)
    expect(stdout + stderr).toMatch(new RegExp(`::error file=${file}`))
  })
})

/** As GitHub's `shell: bash`, with the pinned tools where mise would have put them. */
function execute(run: string, cwd: string, given: Record<string, string> = {}) {
  const tools = ['actionlint', 'kustomize', 'helm', 'talhelper', 'flate'].map((tool) => dirname(toolPath(tool)))
  // GitHub is what this machine doesn't have: `gh` stands in, and keeps what it was told.
  const path = [join(cwd, 'stand-in'), dirname(process.execPath), ...tools, process.env.PATH].join(':')
  const github = {
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION_PATH: join(cwd, '.github/actions/k8sops'),
    GITHUB_OUTPUT: join(cwd, 'outputs'),
    GITHUB_REF_NAME: 'v0.0.0',
  }
  // What only GitHub knows of the pull request.
  const known = new Map([
    ['github.base_ref', 'main'],
    ['github.event.pull_request.number', '7'],
  ])
  const filled = (text: string) => text.replace(/\$\{\{ ([\w.]+) \}\}/g, (_, name: string) => known.get(name) ?? '')
  const written = Object.entries(given).map(([name, text]) => [name, filled(text)])
  const env = { ...process.env, ...github, ...Object.fromEntries(written), PATH: path, CI: 'true' }
  return spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run], { cwd, encoding: 'utf8', env })
}
