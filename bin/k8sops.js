#!/usr/bin/env node
// Runs the sources under the pinned Node: the running one when it can strip types (24), else the dev dependency's.
// CommonJS (package.json beside it): Node's loader of modules takes as long as `--version` may take.
'use strict'
const { existsSync, readFileSync, writeSync } = require('node:fs')
const { join } = require('node:path')

const besides = (path) => join(__dirname, '..', path)

if (process.argv.length === 3 && /^(-V|--version)$/.test(process.argv[2])) {
  // Start-up is a feature: this answer needs no parser, and no newer Node either.
  writeSync(1, `${JSON.parse(readFileSync(besides('package.json'), 'utf8')).version}\n`)
} else if (Number.parseInt(process.versions.node, 10) >= 24) {
  const module = require('node:module')
  const v8 = require('node:v8')
  // No command may take more than 150 MB. Young objects get 3 x 16 MB by default, which a long wait fills for nothing.
  v8.setFlagsFromString('--max-semi-space-size=4')
  // The heap grows to twice what is alive unless V8 (Node 24) is told to mind its size: 15 to 35 MB less at the peak. It then takes
  // nothing from the cache of Node's own modules, which costs 30 ms: too much for what only asks, and has little to keep.
  const quick = /^(-.*|__complete|alerts|cluster|completion|flux|gate|help|holds|logs|metrics|platform|why)?$/
  if (!quick.test(process.argv[2] ?? '')) v8.setFlagsFromString('--optimize-for-size')
  // A compiler's thread that needs a garbage collection while we exit waits for us, and we for it, for ever (nodejs/node#54918,
  // seen with 24.21: one `talos etcd keep` in eight never ended). Code is compiled on our own thread then.
  v8.setFlagsFromString('--no-concurrent-sparkplug --no-concurrent-recompilation')
  // After the flags: each set of them has a cache of its own.
  module.enableCompileCache()
  // As a package it is a few files of plain JavaScript: Node strips no types under node_modules.
  const packaged = besides('bundle/main.cjs')
  if (existsSync(packaged)) require(packaged)
  else importSources(module)
} else {
  const { spawn } = require('node:child_process')
  const node = besides('node_modules/.bin/node')
  if (!existsSync(node)) {
    writeSync(2, `error: k8sops needs Node 24, this is ${process.version}\n  next: mise use node@24\n`)
    process.exit(2)
  }
  const line = [node, __filename, ...process.argv.slice(2)]
  // Node 20 can't replace itself (process.execve is of 22.15): a child that dies with us and gets our signals comes closest.
  const setpriv = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'] : []
  const [program, ...args] = [...setpriv, ...line]
  const child = spawn(program, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', () => process.exit(2))
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, 'SIGKILL') : process.exit(code)))
}

function importSources(module) {
  const { pathToFileURL } = require('node:url')
  const sources = pathToFileURL(besides('src/')).href
  // A hundred sources know each other by path: nothing has to be looked up for that, which takes a tenth of a command's time.
  module.registerHooks({
    resolve: (name, { parentURL }, next) =>
      /^\.{1,2}\/.*\.ts$/.test(name) && parentURL?.startsWith(sources)
        ? { url: new URL(name, parentURL).href, format: 'module-typescript', shortCircuit: true }
        : next(name),
  })
  void import('../src/main.ts')
}
