/**
 * What a bootstrap leaves behind, as one table that can be compared: every API object of every served kind, every
 * machine, etcd's members and every file. What differs between two undisturbed runs is taken out by
 * end-state-normalise.ts, and nothing else.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createKubePort } from '../../src/lib/kube/client.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { Json, KubeObject, KubePort } from '../../src/lib/types.ts'
import { createNormaliser, type Normaliser } from './end-state-normalise.ts'
import { controlPlanes, eventually, talosctl } from './lab.ts'

const run = promisify(execFile)

/** Normalised content by subject: `object apps/v1 Deployment kube-system/coredns`, `machine apps-cp1`, `file kubeconfig`. */
export type EndState = Record<string, Json>

/** Reads it all; the lab's cluster must answer. */
export async function readEndState(record: LabRecord): Promise<EndState> {
  const commit = readFileSync(join(record.root, '.git/refs/heads/main'), 'utf8').trim()
  const normaliser = createNormaliser(record, commit)
  const read = [objects, machines, files].map((part) => part(record, normaliser))
  const parts = await Promise.all(read)
  return Object.fromEntries(parts.flat().sort(([a], [b]) => a.localeCompare(b)))
}

type Entry = [subject: string, content: Json]

interface ApiResource {
  name: string
  kind: string
  verbs: string[]
}

/** Kinds that tell of moments, not of a state, and views of objects that are there under another name. */
const moments = new Set(['Event', 'Lease', 'ComponentStatus', 'PodMetrics', 'NodeMetrics'])

async function objects(record: LabRecord, normaliser: Normaliser): Promise<Entry[]> {
  const kube = createKubePort({ kubeconfig: record.kubeconfig, context: record.context })
  const groups = await get<{ groups: { preferredVersion: { groupVersion: string } }[] }>(kube, '/apis')
  const versions = ['v1', ...groups.groups.map(({ preferredVersion }) => preferredVersion.groupVersion)]
  const found = new Map<string, { kind: string; same: Json[] }>()
  for (const version of versions) {
    const path = version === 'v1' ? '/api/v1' : `/apis/${version}`
    const { resources } = await get<{ resources: ApiResource[] }>(kube, path)
    const listed = resources.filter(({ name, verbs, kind }) => {
      return !name.includes('/') && verbs.includes('list') && !moments.has(kind)
    })
    for (const { name, kind } of listed) {
      const { items } = await get<{ items: KubeObject[] }>(kube, `${path}/${name}`)
      for (const item of items) {
        const normalised = normaliser.object({ ...item, apiVersion: version, kind })
        if (!normalised) continue
        const { subject, content } = normalised
        found.set(subject, { kind, same: [...(found.get(subject)?.same ?? []), content] })
      }
    }
  }
  // Replicas have names of their own in life; here they are one subject, in an order that doesn't depend on them.
  return [...found].map(([subject, { kind, same }]) => [`object ${subject}`, normaliser.together(kind, same)])
}

async function get<T>(kube: KubePort, path: string): Promise<T> {
  // A kind whose CRD was just changed is refused for a moment (429, "storage is (re)initializing").
  const answer = await eventually(
    () => kube.raw(path),
    ({ ok }) => ok,
    30,
  )
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.detail}`)
  return JSON.parse(answer.value) as T
}

async function machines(record: LabRecord, normaliser: Normaliser): Promise<Entry[]> {
  const [first = ''] = controlPlanes(record)
  const members = await output(record, first, 'etcd', 'members')
  const names = members
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .map(([, , hostname = '', , , learner = '']) => `${hostname} learner=${learner}`)
  const all = record.machines.map(async ({ address }): Promise<Entry> => {
    const [status, version, config] = [
      await resources(record, address, 'machinestatus'),
      await resources(record, address, 'version'),
      await resources(record, address, 'machineconfig'),
    ]
    const sources = [...new Set(config.map(({ spec }) => normaliser.text(String(spec))))]
    return [
      `machine ${record.hostnames[address]}`,
      { status: status.map(({ spec }) => spec), version: version.map(({ spec }) => spec), config: sources },
    ]
  })
  return [['etcd members', names.sort()], ...(await Promise.all(all))]
}

async function resources(record: LabRecord, address: string, type: string): Promise<{ spec: Json }[]> {
  const text = await output(record, address, 'get', type, '-o', 'json')
  return text
    .split(/^(?=\{$)/m)
    .filter(Boolean)
    .map((one) => JSON.parse(one) as { spec: Json })
}

async function output(record: LabRecord, address: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await talosctl(record, address, ...args)
  if (code !== 0) throw new Error(`talosctl ${args.join(' ')} on ${address}: ${stderr}`)
  return stdout
}

/** What the run wrote into the working copy (journals and caches aside), and the operator's kubeconfig. */
async function files(record: LabRecord, normaliser: Normaliser): Promise<Entry[]> {
  const list = async (...flags: string[]) => {
    const { stdout } = await run('git', ['-C', record.root, 'ls-files', '-z', ...flags], { maxBuffer: 2 ** 24 })
    return stdout.split('\0').filter(Boolean)
  }
  // Without --exclude-standard: files that git is told to ignore are just those that a run writes.
  const written = await list('--others', '--modified')
  const own = written.filter((path) => !/^\.k8sops\/(runs|cache)\//.test(path))
  const read = (path: string, file: string): Entry => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : 'deleted'
    const { subject, content } = normaliser.file(path, text)
    return [`file ${subject}`, content]
  }
  return [...own.map((path) => read(path, join(record.root, path))), read('kubeconfig', record.kubeconfig)]
}

/** One line for every value that is not the same; empty when the states are equal. */
export function differences(expected: Json | undefined, actual: Json | undefined, at = ''): string[] {
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const length = Math.max(expected.length, actual.length)
    return Array.from({ length }, (_, index) => differences(expected[index], actual[index], `${at}[${index}]`)).flat()
  }
  if (isRecord(expected) && isRecord(actual)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    return keys.flatMap((key) => differences(expected[key], actual[key], at === '' ? key : `${at} .${key}`))
  }
  return expected === actual ? [] : [`${at}: ${short(expected)} became ${short(actual)}`]
}

const isRecord = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const short = (value: Json | undefined) => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 200))
