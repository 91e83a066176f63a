import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadRepository, type Repository } from '../../../src/lib/config/load.ts'
import { type LabFile, labDirectory, openTarget, resolveTarget } from '../../../src/lib/config/target.ts'
import { ConfigError, UsageError } from '../../../src/lib/errors.ts'

let scratch: string
let repository: Repository
const valid = join(import.meta.dirname, '../../fixtures/config/valid')

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'k8sops-target-'))
  cpSync(valid, join(scratch, 'repo'), { recursive: true })
  repository = await loadRepository(join(scratch, 'repo'))
})
afterEach(() => rmSync(scratch, { recursive: true }))

function makeLab(name: string, cluster: string, content: Partial<LabFile> | string): string {
  const dir = labDirectory({ XDG_STATE_HOME: scratch }, name, cluster)
  mkdirSync(join(dir, 'repo'), { recursive: true })
  cpSync(valid, join(dir, 'repo'), { recursive: true })
  const text =
    typeof content === 'string'
      ? content
      : JSON.stringify({
          root: join(dir, 'repo'),
          kubeconfig: join(dir, 'kubeconfig'),
          env: { PATH: `${dir}/bin` },
          pace: 0.1,
          ...content,
        })
  writeFileSync(join(dir, 'lab.json'), text)
  return dir
}

test('a real cluster is reached from the repository with the operator’s own kubeconfig', async () => {
  const target = await resolveTarget(repository, 'west', { lab: false, env: { HOME: '/home/op' } })
  expect(target).toEqual({
    cluster: 'west',
    root: repository.root,
    kubeconfig: '/home/op/.kube/config',
    context: 'west',
    talosconfig: 'talos/west/clusterconfig/talosconfig',
    env: {},
    stateDir: join(repository.root, '.k8sops'),
    snapshotDir: '/home/op/.local/state/k8sops/snapshots/west',
    timeScale: 1,
  })
})

test('a kubeconfig that is a directory is told as what it is', async () => {
  const target = (KUBECONFIG: string) =>
    resolveTarget(repository, 'east', { lab: false, env: { HOME: '/home/op', KUBECONFIG } })
  const directory = expect.objectContaining({ exitCode: 2, message: `${scratch} is a directory, and no kubeconfig` })
  await expect(target(scratch)).rejects.toEqual(directory)
  await expect(target(`${join(scratch, 'none')}:${scratch}`)).rejects.toEqual(directory)
})

test('of several kubeconfigs it is the one that has the context, else the first', async () => {
  const [first, second] = ['a', 'b'].map((name) => join(scratch, name)) as [string, string]
  writeFileSync(first, 'contexts:\n- context: {}\n  name: east-old\n')
  writeFileSync(second, 'contexts:\n- name: "east"\n')
  const options = { lab: false, env: { KUBECONFIG: `${first}:${second}` } }
  expect((await resolveTarget(repository, 'east', options)).kubeconfig).toBe(second)
  expect((await resolveTarget(repository, 'west', options)).kubeconfig).toBe(first)
})

test('a lab is described by its lab.json; its copy of the repository is read from there', async () => {
  const dir = makeLab('default', 'east', {})
  const options = { lab: true, env: { XDG_STATE_HOME: scratch } }
  const { repository: copy, cluster, target } = await openTarget(repository, 'east', options)
  expect(target).toMatchObject({
    root: join(dir, 'repo'),
    kubeconfig: join(dir, 'kubeconfig'),
    env: { PATH: `${dir}/bin` },
    timeScale: 0.1,
  })
  expect(copy.root).toBe(join(dir, 'repo'))
  expect(cluster.name).toBe('east')
})

test.each([
  ['--lab-name', { labName: 'two', env: {} }],
  ['K8SOPS_LAB_NAME', { env: { K8SOPS_LAB_NAME: 'two' } }],
])('a lab of another name is chosen by %s', async (_, options) => {
  const dir = makeLab('two', 'east', { timeScale: 0.5 })
  const target = await resolveTarget(repository, 'east', {
    ...options,
    lab: true,
    env: { ...options.env, XDG_STATE_HOME: scratch },
  })
  expect(target).toMatchObject({ root: join(dir, 'repo'), timeScale: 0.5 })
})

test('without a lab the error says how to start one', async () => {
  const options = { lab: true, env: { XDG_STATE_HOME: scratch } }
  const error = (await resolveTarget(repository, 'east', options).catch((thrown: unknown) => thrown)) as ConfigError
  expect(error).toBeInstanceOf(ConfigError)
  expect(error.detail.next).toBe('k8sops lab up --cluster east')
})

test.each(['', '{', '[]', '{"root": 1}'])('a lab.json that says %j is refused', async (content) => {
  makeLab('default', 'east', content)
  const options = { lab: true, env: { XDG_STATE_HOME: scratch } }
  await expect(resolveTarget(repository, 'east', options)).rejects.toThrow("the lab's description is broken")
})

test('an unknown cluster is refused before anything is looked up', async () => {
  await expect(resolveTarget(repository, 'north', { lab: true, env: {} })).rejects.toThrow(UsageError)
})
