#!/usr/bin/env node
// Runs a TypeScript script of this repository on a machine where nothing is set up yet: installs the npm dependencies
// when they are missing or older than the lock file, then hands over to the pinned Node. Plain JavaScript for Node >= 20.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [script, ...args] = process.argv.slice(2)
if (!script) {
  console.error('usage: node tools/run.js SCRIPT.ts [ARGS...]')
  process.exit(2)
}

const [major] = process.versions.node.split('.').map(Number)
if (major < 20) {
  console.error(
    `Node ${process.version} is too old to start with: install Node >= 20 (https://nodejs.org), then run this again`,
  )
  process.exit(2)
}

const pinned = join(root, 'node_modules/.bin/node')
const stamp = join(root, 'node_modules/.k8sops-lock')
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const installed = existsSync(pinned) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock
if (!installed) {
  console.error('Installing npm dependencies as package-lock.json pins them, the pinned Node among them ...')
  // stdio: npm's own noise goes to stderr, so that stdout stays the script's.
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) {
    console.error('npm ci failed; fix what it says above and run this again')
    process.exit(status ?? 1)
  }
  writeFileSync(stamp, lock)
}

const child = spawnSync(pinned, [join(root, script), ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH ?? ''}` },
})
process.exit(child.status ?? (child.signal ? 130 : 1))
