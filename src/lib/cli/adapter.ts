/** Turns command data into a command line: parsing with commander, shared options, one place for errors and exit codes. */
import { Argument, Command, CommanderError } from 'commander'
import { InterruptedError, OperatorError, UsageError } from '../errors.ts'
import { findCommand } from './argv.ts'
import type { CommandSpec } from './define.ts'
import { addOptions, type OptionValues, optionValues } from './options.ts'
import type { CommandEntry } from './registry.ts'
import type { Invocation } from './services.ts'
import { optionsOf } from './shared-options.ts'

/** Runs one command line. Returns the exit code; never throws, and never exits. */
export async function runCommandLine(argv: string[], invocation: Invocation): Promise<number> {
  let options: OptionValues = preliminaryOptions(argv, invocation.env)
  try {
    const found = findCommand(argv, invocation.entries)
    const spec = await found.entry?.load()
    let exitCode = 0
    const program = buildProgram(invocation, found.entry, spec, async (leaf, args, rest) => {
      options = optionValues(leaf, optionsOf(spec!), invocation.env)
      exitCode = await runCommand(spec!, options, args, rest, invocation)
    })
    await program.parseAsync(found.argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return usageExit(error)
    const { createOutput } = await import('./output.ts')
    await createOutput(invocation, options).error(error)
    return error instanceof OperatorError ? error.exitCode : 1
  }
}

/** Enough to print an error the right way when the command line could not be understood. */
function preliminaryOptions(argv: string[], env: NodeJS.ProcessEnv): OptionValues {
  const wantsJson = argv.some(
    (arg, index) => /^(-o|--output)=?json$/.test(arg) || (/^(-o|--output)$/.test(arg) && argv[index + 1] === 'json'),
  )
  return {
    output: wantsJson ? 'json' : (env.K8SOPS_OUTPUT ?? 'table'),
    color: !argv.includes('--no-color'),
  }
}

type Act = (leaf: Command, args: Record<string, string>, rest: Record<string, string[]>) => Promise<void>

/** What is wanted, with its options and its action; without a command the tree of all of them by name and summary, to choose from. */
function buildProgram(
  invocation: Invocation,
  wanted: CommandEntry | undefined,
  spec: CommandSpec | undefined,
  act: Act,
): Command {
  const program = configure(new Command('k8sops'), invocation)
    .description(
      'Operates Talos + Flux clusters: every change is first a plan you can read, then a run you can resume.',
    )
    .version(invocation.version, '-V, --version', 'print the version')
    .helpCommand(false)
  for (const entry of wanted ? [wanted] : invocation.entries) {
    const words = entry.path.split(' ')
    const parent = words
      .slice(0, -1)
      .reduce((at, _, index) => topic(at, words.slice(0, index + 1), invocation), program)
    const leaf = configure(new Command(words.at(-1)!), invocation).description(entry.summary)
    parent.addCommand(leaf, { hidden: entry.hidden ?? false })
    if (entry === wanted && spec) fillIn(leaf, spec, act)
  }
  program.addHelpText('after', '\nTopics: k8sops help exit-codes | environment | concepts')
  return program
}

/** The command for words with verbs below them, made when it is first met. */
function topic(parent: Command, path: string[], invocation: Invocation): Command {
  const word = path.at(-1)!
  const known = parent.commands.find((command) => command.name() === word)
  if (known) return known
  const made = configure(new Command(word), invocation)
    .description(invocation.topics[path.join(' ')] ?? '')
    .helpCommand(false)
  parent.addCommand(made)
  return made
}

function configure(command: Command, { stdout, stderr }: Invocation): Command {
  return command
    .exitOverride()
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(`${text.trimEnd()}\n  next: ${helpOf(command)}\n`),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
}

function helpOf(command: Command): string {
  const words: string[] = []
  for (let at: Command | null = command; at; at = at.parent) words.unshift(at.name())
  return `${words.join(' ')} --help`
}

function fillIn(leaf: Command, spec: CommandSpec, act: Act): void {
  const names = Object.entries(spec.args ?? {})
  for (const [name, description] of names) leaf.addArgument(new Argument(argumentSyntax(name), description))
  if (spec.passThrough) leaf.passThroughOptions()
  if (spec.description) leaf.description(spec.description)
  addOptions(leaf, optionsOf(spec))
  const examples = spec.examples.map((example) => `  ${example}`)
  if (examples.length > 0) leaf.addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
  if (spec.runbook) leaf.addHelpText('after', `\nRunbook: ${spec.runbook}`)
  leaf.action(async (...values: unknown[]) => {
    const args: Record<string, string> = {}
    const rest: Record<string, string[]> = {}
    for (const [index, [name]] of names.entries()) {
      const value = values[index]
      const key = name.replace(/[.?]+$/, '')
      if (Array.isArray(value)) rest[key] = value.map(String)
      else if (typeof value === 'string') args[key] = value
    }
    await act(leaf, args, rest)
  })
}

/** `app` -> `<app>`, `id?` -> `[id]`, `command...` -> `<command...>` */
function argumentSyntax(name: string): string {
  return name.endsWith('?') ? `[${name.slice(0, -1)}]` : `<${name}>`
}

/** --help and --version are no errors; everything else commander throws is a wrong command line, already printed. */
function usageExit(error: CommanderError): number {
  const shown = error.code === 'commander.version' || error.code === 'commander.helpDisplayed'
  return shown ? 0 : new UsageError(error.message).exitCode
}

async function runCommand(
  spec: CommandSpec,
  options: OptionValues,
  args: Record<string, string>,
  rest: Record<string, string[]>,
  invocation: Invocation,
): Promise<number> {
  const [{ watchSignals }, { createContext }, { createOutput }] = await Promise.all([
    import('../engine/interrupts.ts'),
    import('./context.ts'),
    import('./output.ts'),
  ])
  const output = createOutput(invocation, options)
  const interrupts = watchSignals(invocation.signals)
  const contexts = createContext({
    invocation,
    options,
    args,
    rest,
    signal: interrupts.stop,
    note: output.note,
    openView: output.openView,
    openLive: output.openLive,
    saysProblems: spec.effect === 'write' && spec.saysProblems === true,
  })
  try {
    const answer = spec.effect === 'write' ? await spec.instead?.(contexts.context) : undefined
    if (answer) {
      await output.data(answer)
      return answer.exitCode ?? 0
    }
    if (spec.effect === 'write' || spec.effect === 'run') {
      const { executeWrite } = await import('./execute.ts')
      return await executeWrite({ spec, contexts, options, invocation, output, interrupts })
    }
    const data = spec.effect === 'read' ? await spec.read(contexts.context) : await spec.run(contexts.context)
    if (data) await output.data(data)
    return data?.exitCode ?? 0
  } catch (error) {
    // Whatever an aborted request looks like, Ctrl-C is why.
    if (interrupts.stop.aborted && !(error instanceof OperatorError))
      throw new InterruptedError('interrupted', { cause: error })
    throw error
  } finally {
    contexts.close()
    interrupts.release()
  }
}
