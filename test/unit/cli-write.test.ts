import { EventEmitter } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { commands } from '../../src/commands/index.ts'
import type { CommandSpec, WriteCommand } from '../../src/lib/cli/define.ts'
import type { BasisPort } from '../../src/lib/engine/ports.ts'
import type { Step } from '../../src/lib/types.ts'
import { type CliOptions, clusterNamed, runCli, worldServices } from '../helpers/cli.ts'
import { fileGates, makeFile, makePlan, makeWorld, type World } from '../helpers/engine-world.ts'

// Processes take their time on a busy machine; what is measured here is order, not speed.
vi.setConfig({ testTimeout: 60_000 })

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const command = (steps: Step[], more: Partial<WriteCommand> = {}): CommandSpec => ({
  path: 'make',
  summary: 'Make files',
  effect: 'write',
  examples: [],
  runbook: 'docs/runbooks/make.md',
  plan: async (context) => makePlan(steps, { operation: 'make', cluster: (await context.cluster()).name }),
  ...more,
})
const movedBasis = (line: string): BasisPort => ({ digest: async () => 'sha256:other', describe: async () => [line] })
const runCommands = commands.filter(({ path }) => path.startsWith('run '))
const cli = (argv: string[], spec?: CommandSpec, more: CliOptions = {}) =>
  runCli(argv, {
    services: worldServices(world),
    entries: [...runCommands, ...(spec ? [{ path: spec.path, summary: spec.summary, load: async () => spec }] : [])],
    cwd: world.root,
    ...more,
  })

describe('preview', () => {
  test('--dry-run prints the plan and writes nothing', async () => {
    const ended = await cli(['make', '--dry-run'], command([makeFile('a')]))
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain("$ kubectl -c 'echo a >> effects; echo a > new-a; mv new-a state/a'")
    expect(world.state()).toEqual({})
    expect(existsSync(join(world.root, '.k8sops'))).toBe(false)
  })

  test('--dry-run -o json is the plan', async () => {
    const { stdout } = await cli(['make', '--dry-run', '-o', 'json'], command([makeFile('a')]))
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'Plan', operation: 'make', steps: [{ id: 'a' }] })
  })

  test('it needs neither a confirmed fact nor a question', async () => {
    const spec = command([makeFile('a')], { confirm: () => 'Really?' })
    expect((await cli(['make', '--dry-run'], spec)).code).toBe(0)
  })
})

describe('run', () => {
  test('prints where it goes before it writes, progress on stderr and the timeline on stdout', async () => {
    const ended = await cli(['make'], command([makeFile('a')]))
    expect(ended.code).toBe(0)
    const order = ['context   test  https://10.0.0.10:6443', 'talos     10.0.0.11 10.0.0.12', 'a: begins', 'done a']
    expect(order.map((text) => ended.stderr.indexOf(text)).every((at, index, all) => at > (all[index - 1] ?? -1))).toBe(
      true,
    )
    expect(ended.stdout).toMatch(/✔ a +done/)
    expect(ended.stdout).toContain('make of test: succeeded')
  })

  test('-o json: the result on stdout, events on stderr as NDJSON', async () => {
    const ended = await cli(['make', '-o', 'json', '--progress', 'auto'], command([makeFile('a')]))
    expect(JSON.parse(ended.stdout)).toMatchObject({
      kind: 'RunResult',
      exitCode: 0,
      steps: [{ id: 'a', state: 'done' }],
    })
    const events = ended.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line).type)
    expect(events).toEqual(['target', 'run-started', 'step-started', 'step-done', 'run-finished'])
  })

  test('--report FILE: JSON and Markdown', async () => {
    await cli(['make', '--report', 'report'], command([makeFile('a')]))
    expect(JSON.parse(readFileSync(join(world.root, 'report.json'), 'utf8')).kind).toBe('RunResult')
    expect(readFileSync(join(world.root, 'report.md'), 'utf8')).toContain('| `a` | done |')
    await cli(['make', '--report', 'only.md'], command([makeFile('a')]))
    expect(existsSync(join(world.root, 'only.json'))).toBe(false)
  })

  test('a failure: exit code, what failed, and the command to go on', async () => {
    const ended = await cli(['make'], command([makeFile('a', {}, 'echo no room >&2; exit 1')]))
    expect(ended.code).toBe(6)
    expect(ended.stderr).toContain(
      "error: Make a: kubectl failed with exit code 1\n  $ kubectl -c 'echo no room >&2; exit 1'\n  no room\n",
    )
    expect(ended.stdout).toMatch(/go on with: k8sops run resume make-test-\S+ --cluster test/)
  })

  test('Ctrl-C before the first change: 130', async () => {
    const signals = new EventEmitter()
    const gates = fileGates(world.root)
    const services = worldServices(world, {
      gates: async () => ({
        ...gates,
        together: () => ({
          ...gates,
          waitFor: (check, options) => {
            signals.emit('SIGINT', 'SIGINT')
            return gates.waitFor(check, options)
          },
        }),
      }),
    })
    const waiting = makeFile('a', { require: [{ gate: 'never' }], timeoutSec: 50 })
    const ended = await cli(['make'], command([waiting]), { signals, services })
    expect(ended.code).toBe(130)
    expect(ended.stdout).toContain('k8sops run resume')
  })

  test('--timeout', async () => {
    const ended = await cli(['make', '--timeout', '3s'], command([makeFile('a', { timeoutSec: 60 }, 'sleep 50')]))
    expect(ended.code).toBe(6)
    expect((await cli(['make', '--timeout', 'soon'], command([]))).stderr).toContain('"soon" is no duration')
  })
})

describe('refusals before anything is touched', () => {
  test("a context whose API server is not the cluster's", async () => {
    const services = worldServices(world, { contextServer: async () => 'https://192.0.2.7:6443' })
    const ended = await cli(['make'], command([makeFile('a')]), { services })
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain('kube context test points to https://192.0.2.7:6443, which is not cluster test')
    expect(world.state()).toEqual({})
  })

  test('facts that are not confirmed, all of them with file and line', async () => {
    const cluster = clusterNamed('test', {
      confirm: [{ file: 'talos/test/talconfig.yaml', line: 7, message: 'NIC: look it up' }],
    })
    const services = worldServices(world)
    const { openTarget } = services
    services.openTarget = async (...args) => ({ ...(await openTarget(...args)), cluster })
    const ended = await cli(['make'], command([makeFile('a')]), { services })
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain('talos/test/talconfig.yaml:7: NIC: look it up')
  })

  test('a question that nobody is there to answer fails at once; --yes, or y on a terminal, goes on', async () => {
    const spec = command([makeFile('a')], { confirm: (plan) => `Wipe ${plan.cluster}?` })
    const refused = await cli(['make'], spec)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('Wipe test? There is no terminal to ask on')
    expect((await cli(['make'], spec, { answer: 'n' })).code).toBe(2)
    expect(world.state()).toEqual({})
    expect((await cli(['make'], spec, { answer: 'y' })).code).toBe(0)
    expect((await cli(['make', '--yes'], spec)).code).toBe(0)
  })

  test('what can not be undone asks for a name: --yes is not enough, another name is refused', async () => {
    const spec = command([makeFile('a')], {
      confirm: () => 'Wipe it?',
      confirmName: ({ cluster }) => cluster,
      options: [{ flags: '--confirm <name>', description: 'the name' }],
    })
    const refused = await cli(['make', '--yes'], spec)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('add --confirm test')
    expect((await cli(['make', '--confirm', 'tset'], spec)).stderr).toContain('--confirm says tset, not test')
    expect((await cli(['make'], spec, { answer: 'y' })).code).toBe(2)
    expect(world.state()).toEqual({})
    expect((await cli(['make'], spec, { answer: 'test' })).code).toBe(0)
    expect((await cli(['make', '--confirm', 'test'], spec)).code).toBe(0)
  })

  test('another cluster: --cluster, K8SOPS_CLUSTER, the current context, the default; all is none', async () => {
    const spec = command([])
    const clusterOf = async (argv: string[], env: NodeJS.ProcessEnv = {}) => {
      const { stdout, stderr } = await cli(['make', '--dry-run', '-o', 'json', ...argv], spec, { env })
      return stdout ? JSON.parse(stdout).cluster : JSON.parse(stderr).message
    }
    const kubeconfig = join(world.root, 'config')
    writeFileSync(kubeconfig, 'apiVersion: v1\ncurrent-context: "other"\n')
    expect(await clusterOf([])).toBe('test')
    expect(await clusterOf([], { KUBECONFIG: kubeconfig })).toBe('other')
    expect(await clusterOf([], { KUBECONFIG: kubeconfig, K8SOPS_CLUSTER: 'test' })).toBe('test')
    expect(await clusterOf(['--cluster', 'other'], { K8SOPS_CLUSTER: 'test' })).toBe('other')
    expect(await clusterOf(['--cluster', 'nope'])).toBe('unknown cluster nope')
    expect(await clusterOf(['--cluster', 'all'])).toContain('one cluster at a time')
  })
})

describe('run list, show, resume, exec', () => {
  const flaky = () => [makeFile('a'), makeFile('b', {}, 'test -e allow && echo b > state/b')]

  test('a stopped run is listed, shown and resumed, by default the last one of the cluster', async () => {
    await cli(['make'], command(flaky()))
    const list = JSON.parse((await cli(['run', 'list', '-o', 'json'])).stdout)
    expect(list.items).toMatchObject([{ operation: 'make', cluster: 'test', state: 'stopped', exitCode: 6 }])
    expect((await cli(['run', 'show'])).stdout).toMatch(/✗ b +failed/)
    expect((await cli(['run', 'resume', '--dry-run'])).stdout).toContain('make  cluster test')
    writeFileSync(join(world.root, 'allow'), '')
    const resumed = await cli(['run', 'resume'])
    expect(resumed.code).toBe(0)
    expect(resumed.stdout).toMatch(/· a +skipped/)
    const again = await cli(['run', 'resume'])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('cluster test has no unfinished run')
  })

  test('an id says which cluster', async () => {
    await cli(['make', '--cluster', 'other'], command(flaky()))
    const [{ id }] = JSON.parse((await cli(['run', 'list', '-o', 'json'])).stdout).items
    writeFileSync(join(world.root, 'allow'), '')
    expect((await cli(['run', 'resume'])).stderr).toContain('cluster test has no unfinished run')
    expect((await cli(['run', 'resume', id])).code).toBe(0)
  })

  test('resume refuses when what the plan was made from has moved', async () => {
    await cli(['make'], command(flaky()))
    const services = worldServices(world, { basis: () => movedBasis('talos/test/talconfig.yaml changed') })
    const ended = await cli(['run', 'resume'], undefined, { services })
    expect(ended.code).toBe(3)
    expect(ended.stderr).toContain('talos/test/talconfig.yaml changed')
  })

  test('a saved plan is run as it is, and refused once its basis moved or its shape is wrong', async () => {
    const saved = await cli(['make', '--plan-out', 'plan.json'], command([makeFile('a')]))
    expect(saved.code).toBe(0)
    expect(world.state()).toEqual({})
    const services = worldServices(world, { basis: () => movedBasis('kustomize: pinned 2, was 1') })
    const stale = await cli(['run', 'exec', 'plan.json'], undefined, { services })
    expect(stale.code).toBe(3)
    expect(existsSync(join(world.root, '.k8sops/runs'))).toBe(false)
    expect((await cli(['run', 'exec', 'plan.json'])).code).toBe(0)
    expect(world.state()).toEqual({ a: 'a\n' })

    const plan = JSON.parse(readFileSync(join(world.root, 'plan.json'), 'utf8'))
    plan.steps[0].action.pipeline[0].tool = 'rm'
    plan.steps.push(plan.steps[0])
    writeFileSync(join(world.root, 'wrong.json'), JSON.stringify(plan))
    const wrong = await cli(['run', 'exec', 'wrong.json'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/steps\.0\.action\.pipeline\.0\.tool.*\n.*/)
  })
})
