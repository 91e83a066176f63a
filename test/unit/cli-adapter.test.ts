import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { type CommandContext, defineCommand } from '../../src/lib/cli/define.ts'
import { ConfigError, GateError } from '../../src/lib/errors.ts'
import { runCli } from '../helpers/cli.ts'

let last: CommandContext | undefined
const list = defineCommand({
  path: 'thing list',
  summary: 'List things',
  effect: 'read',
  scope: 'none',
  args: { 'names...?': 'which' },
  options: [
    { flags: '--size <size>', description: 'which size', choices: ['small', 'large'] },
    { flags: '--tag <tag...>', description: 'tags' },
    { flags: '--deep', description: 'all of it', default: false },
  ],
  examples: ['k8sops thing list'],
  async read(context) {
    last = context
    return {
      kind: 'ThingList',
      items: [
        { name: 'a', size: 1 },
        { name: 'b', size: 2 },
      ],
      columns: [
        { title: 'name', value: (row) => String(row.name) },
        { title: 'size', value: (row) => String(row.size), wide: true },
      ],
    }
  },
})
const failing = (error: unknown) =>
  defineCommand({
    path: 'fail',
    summary: 'Fail',
    effect: 'read',
    scope: 'none',
    examples: [],
    read: async () => {
      throw error
    },
  })
const specs = [list]

describe('parsing', () => {
  test('arguments and options reach the command; shared options may stand anywhere', async () => {
    await runCli(['-o', 'json', 'thing', '--no-color', 'list', 'x', 'y', '--size', 'large', '--tag', 'p', 'q'], {
      specs,
    })
    expect(last).toMatchObject({
      rest: { names: ['x', 'y'] },
      options: { size: 'large', tag: ['p', 'q'], output: 'json', deep: false },
    })
  })

  test('every option as K8SOPS_*; the command line wins', async () => {
    const env = { K8SOPS_SIZE: 'small', K8SOPS_TAG: 'p,q', K8SOPS_DEEP: 'yes', K8SOPS_OUTPUT: 'name' }
    expect((await runCli(['thing', 'list'], { specs, env })).stdout).toBe('a\nb\n')
    expect(last!.options).toMatchObject({ size: 'small', tag: ['p', 'q'], deep: true })
    await runCli(['thing', 'list', '--size', 'large'], { specs, env })
    expect(last!.options.size).toBe('large')
  })

  test.each([
    [{ K8SOPS_SIZE: 'huge' }, 'K8SOPS_SIZE=huge: expected one of small, large'],
    [{ K8SOPS_DEEP: 'perhaps' }, 'K8SOPS_DEEP=perhaps: expected true or false'],
  ])('a bad value in the environment is a usage error: %o', async (env, message) => {
    const ended = await runCli(['thing', 'list'], { specs, env })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain(message)
  })

  test.each([
    [['thing', 'lst'], "unknown command 'lst'\n(Did you mean list?)"],
    [['thng'], "unknown command 'thng'\n(Did you mean thing?)"],
    [['thing', 'list', '--szie', 'x'], "unknown option '--szie'\n(Did you mean --size?)"],
    [['thing', 'list', '--size', 'x'], 'Allowed choices are small, large'],
  ])('wrong command line %j: exit 2, what is meant, and where the help is', async (argv, message) => {
    const ended = await runCli(argv, { specs })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain(message)
    expect(ended.stderr).toMatch(/next: k8sops.* --help/)
  })

  test('--help and --version need no service and load no other command', async () => {
    const entries = [{ path: 'thing list', summary: 'List', load: () => Promise.reject(new Error('loaded')) }]
    expect(await runCli(['--version'], { entries })).toMatchObject({ code: 0, stdout: '1.2.3\n' })
    const help = await runCli(['--help'], { entries })
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('k8sops help exit-codes')
    expect((await runCli(['thing', 'list', '--help'], { specs })).stdout).toContain('Examples:\n  k8sops thing list')
  })
})

describe('output', () => {
  test.each([
    ['table', 'NAME\na\nb\n'],
    ['wide', 'NAME   SIZE\na      1\nb      2\n'],
    ['name', 'a\nb\n'],
    [
      'yaml',
      'apiVersion: k8sops.dev/v1\nkind: ThingList\nitems:\n  - name: a\n    size: 1\n  - name: b\n    size: 2\n',
    ],
  ])('-o %s', async (format, stdout) => {
    expect(await runCli(['thing', 'list', '-o', format], { specs })).toEqual({ code: 0, stdout, stderr: '' })
  })

  test('-o json has apiVersion and kind', async () => {
    const { stdout } = await runCli(['thing', 'list', '-o', 'json'], { specs })
    expect(JSON.parse(stdout)).toEqual({
      apiVersion: 'k8sops.dev/v1',
      kind: 'ThingList',
      items: [
        { name: 'a', size: 1 },
        { name: 'b', size: 2 },
      ],
    })
  })

  test('a command may end with another exit code', async () => {
    const found = { ...list, read: async () => ({ kind: 'Report', text: 'differs', exitCode: 3 }) }
    expect(await runCli(['thing', 'list'], { specs: [found] })).toEqual({ code: 3, stdout: 'differs\n', stderr: '' })
  })
})

describe('errors', () => {
  const problems = [
    { file: 'talos/apps/talconfig.yaml', line: 12, message: 'duplicate hostname' },
    { file: 'k8sops.yaml', line: 3, message: 'a, b: no such cluster' },
  ]
  const error = new ConfigError('two problems', problems, {
    next: 'k8sops validate',
    command: 'x y',
    output: 'line 1\nline 2',
    runbook: 'docs/r.md',
  })

  test('for people: message, problems with file and line, command, output, next, runbook; on stderr', async () => {
    expect(await runCli(['fail'], { specs: [failing(error)] })).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'error: two problems',
        '  talos/apps/talconfig.yaml:12: duplicate hostname',
        '  k8sops.yaml:3: a, b: no such cluster',
        '  $ x y',
        '  line 1',
        '  line 2',
        '  next: k8sops validate',
        '  runbook: docs/r.md',
        '',
      ].join('\n'),
    })
  })

  test('for programs: one line of JSON on stderr', async () => {
    const { stderr, code } = await runCli(['fail', '-o', 'json'], { specs: [failing(error)] })
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({
      kind: 'Error',
      name: 'ConfigError',
      exitCode: 2,
      problems,
      next: 'k8sops validate',
    })
  })

  test('for GitHub: an annotation at each file and line, escaped', async () => {
    const { stderr } = await runCli(['fail'], { specs: [failing(error)], env: { GITHUB_ACTIONS: 'true' } })
    expect(stderr).toContain('::error file=talos/apps/talconfig.yaml,line=12::duplicate hostname\n')
    expect(stderr).toContain('::error file=k8sops.yaml,line=3::a, b: no such cluster\n')
  })

  test('a bug is told as one, with its stack, and exit code 1', async () => {
    const ended = await runCli(['fail'], { specs: [failing(new TypeError('oops'))] })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/internal error: TypeError: oops\n {4}at/)
  })

  test('the exit code is the class of the error', async () => {
    expect((await runCli(['fail'], { specs: [failing(new GateError('closed'))] })).code).toBe(3)
  })

  test('Ctrl-C while reading: 130', async () => {
    const signals = new EventEmitter()
    const waiting = {
      ...list,
      read: (context: CommandContext) =>
        new Promise<never>((_, reject) => {
          context.signal.addEventListener('abort', () => reject(new Error('aborted')))
          signals.emit('SIGINT', 'SIGINT')
        }),
    }
    expect((await runCli(['thing', 'list'], { specs: [waiting], signals })).code).toBe(130)
  })
})
