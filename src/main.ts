/** Composition root: the real world is handed to the command line, and its answer becomes the exit code. */
import { dirname, join } from 'node:path'
import packageFile from '../package.json' with { type: 'json' }

// A reader that has seen enough (`| head`) closes the pipe; that is no error of ours.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

const argv = process.argv.slice(2)
// No await out here: the package's form of this file is CommonJS, which has none.
void run()

async function run(): Promise<void> {
  // A Tab is answered before anything is parsed: a shell waits for it.
  const exitCode = argv[0] === '__complete' ? await completeLine() : await runLine()
  // Left-over handles (a kept-alive connection, a watch) must not hold the terminal; what was written is waited for.
  process.stdout.write('', () => process.exit(exitCode))
}

async function completeLine(): Promise<number> {
  const { completeWords } = await import('./commands/complete-words.ts')
  process.stdout.write(`${await completeWords(argv.slice(1), process.cwd())}\n`)
  return 0
}

async function runLine(): Promise<number> {
  const [{ commands, topics }, { runCommandLine }, { createServices }] = await Promise.all([
    import('./commands/index.ts'),
    import('./lib/cli/adapter.ts'),
    import('./services.ts'),
  ])
  return runCommandLine(argv, {
    version: packageFile.version,
    entries: commands,
    topics,
    services: createServices(join(dirname(import.meta.dirname), 'bin')),
    env: process.env,
    cwd: process.cwd(),
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    signals: process,
  })
}
