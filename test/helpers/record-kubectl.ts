/**
 * What kubectl does with one ConfigMap, for tests of who writes when: the API server's part (a JSON patch is taken as a whole or not at all)
 * is done on a file. That the real one does the same is shown in test/lab/own/rollout.test.ts.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

const file = process.env.K8SOPS_CACHE ? `${process.env.K8SOPS_CACHE}/configmap.json` : ''
const words = process.argv.slice(2)
const flagValue = (flag: string) => words[words.indexOf(flag) + 1] ?? ''
const refuse = (text: string): never => {
  process.stderr.write(`Error from server: ${text}\n`)
  process.exit(1)
}

interface Stored {
  annotations: Record<string, string>
  data: Record<string, string>
}
interface Operation {
  op: string
  path: string
  value: string
}

const read = (): Stored => {
  if (!existsSync(file)) refuse('configmaps "k8sops-rollout" not found')
  return JSON.parse(readFileSync(file, 'utf8')) as Stored
}
const write = (stored: Stored) => {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(stored))
  renameSync(`${file}.${process.pid}`, file)
}
/** Only one at a time looks and writes. */
function locked(act: () => void): void {
  for (;;) {
    try {
      closeSync(openSync(`${file}.lock`, 'wx'))
      break
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
  try {
    act()
  } finally {
    rmSync(`${file}.lock`)
  }
}

if (words.includes('create')) {
  if (existsSync(file)) refuse('configmaps "k8sops-rollout" already exists')
  const [, literal = ''] = (words.find((word) => word.startsWith('--from-literal=')) ?? '').split('--from-literal=')
  const [key = '', value = ''] = literal.split('=')
  write({ annotations: {}, data: { [key]: value } })
} else if (flagValue('--type') === 'json') {
  const operations = JSON.parse(flagValue('-p')) as Operation[]
  let refused = ''
  locked(() => {
    const stored = read()
    for (const { op, path, value } of operations) {
      const key = path.replace('/data/', '')
      if (op === 'test' && stored.data[key] !== value)
        refused = 'The request is invalid: the server rejected our request due to an error in our request'
      if (op !== 'test') stored.data[key] = value
    }
    if (refused === '') write(stored)
  })
  if (refused !== '') refuse(refused)
} else {
  const { metadata } = JSON.parse(flagValue('-p')) as { metadata: { annotations: Record<string, string | null> } }
  locked(() => {
    const stored = read()
    for (const [key, value] of Object.entries(metadata.annotations)) {
      if (value === null) delete stored.annotations[key]
      else stored.annotations[key] = value
    }
    write(stored)
  })
}
process.stdout.write('configmap/k8sops-rollout patched\n')
