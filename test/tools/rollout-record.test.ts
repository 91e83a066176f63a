/**
 * The rollout's record against a real API server, by the very argv that plans have: of two writers who have seen the same token one is refused,
 * and the CronJob's roles are enough for all of it and for nothing beside it.
 */
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { emptyRecord, recordText, storedRecord } from '../../src/lib/ops/rollout/record.ts'
import {
  createRecordArgs,
  firstToken,
  holdRecordArgs,
  patchRecordArgs,
  recordPatch,
} from '../../src/lib/tools/kubectl-rollout.args.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import type { Command, KubeObject } from '../../src/lib/types.ts'
import { startTestCluster, type TestCluster } from '../helpers/test-cluster.ts'

const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok', 'kubectl']
const roles = join(import.meta.dirname, '../../kubernetes/infrastructure/configs/flux-system/rollout/app')
const account = 'system:serviceaccount:flux-system:rollout'
const dir = mkdtempSync(join(tmpdir(), 'k8sops-record-'))
let cluster: TestCluster
let place: { context: string; namespace: string; name: string }

beforeAll(async () => {
  const tools = Object.fromEntries(names.map((name) => [name, resolveTool(name)?.path ?? '']))
  cluster = await startTestCluster(dir, 217, tools)
  const context = /^current-context: *"?([^"\n]+)/m.exec(readFileSync(cluster.lab.adminKubeconfig, 'utf8'))?.[1] ?? ''
  place = { context, namespace: 'flux-system', name: 'k8sops-rollout' }
  await cluster.kubectl('create', 'namespace', 'flux-system')
  await cluster.kubectl('create', 'namespace', 'observability')
  const files = globSync('{clusterrole*,role*}.yaml', { cwd: roles })
  await cluster.apply(...files.map((file) => parse(readFileSync(join(roles, file), 'utf8')) as object))
}, 240_000)
afterAll(async () => {
  await cluster?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** As the CronJob's ServiceAccount. */
const as = async ({ args }: Command) => {
  const { stdout } = await promisify(execFile)(
    resolveTool('kubectl')?.path ?? '',
    ['--kubeconfig', cluster.lab.adminKubeconfig, '--as', account, ...args],
    { env: { PATH: process.env.PATH, HOME: dir } },
  )
  return stdout
}
const stored = async () => storedRecord(await cluster.get<KubeObject>('-n', place.namespace, 'configmap', place.name))
const write = (before: string, token: string, release: string) =>
  as(patchRecordArgs(place, recordPatch(before, token, recordText({ ...emptyRecord, release }))))

test('is made, written by whoever has seen the last token, and held', async () => {
  await as(createRecordArgs(place))
  expect(await stored()).toMatchObject({ token: firstToken, record: emptyRecord, hold: undefined })
  const ended = await Promise.allSettled([write(firstToken, 'one', 'a'), write(firstToken, 'two', 'b')])
  expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const { token, record } = await stored()
  expect([token, record.release]).toEqual(ended[0].status === 'fulfilled' ? ['one', 'a'] : ['two', 'b'])
  await write(token, 'three', 'c')
  await expect(write(token, 'four', 'd')).rejects.toThrow(/The request is invalid/)

  const note = {
    id: 'rollout.hold/1',
    owner: 'jane@desk',
    reason: "it's late",
    since: '2026-12-01T00:00:00Z',
    until: '2026-12-02T00:00:00Z',
    scope: 'rollout',
  }
  await as(holdRecordArgs(place, note))
  expect((await stored()).hold).toMatchObject({
    id: note.id,
    owner: note.owner,
    reason: note.reason,
    until: note.until,
  })
  await as(holdRecordArgs(place, null))
  expect(await stored()).toMatchObject({ token: 'three', hold: undefined })
}, 120_000)

test('the roles give nothing else away', async () => {
  const may = (...words: string[]) =>
    as({ tool: 'kubectl', args: ['auth', 'can-i', ...words] }).then(
      (answer) => answer.trim(),
      () => 'no',
    )
  expect(await may('list', 'pods', '-A')).toBe('yes')
  expect(await may('patch', 'configmaps/k8sops-rollout', '-n', 'flux-system')).toBe('yes')
  expect(await may('patch', 'configmaps/cluster-settings', '-n', 'flux-system')).toBe('no')
  expect(await may('list', 'secrets', '-n', 'flux-system')).toBe('no')
  expect(await may('delete', 'pods', '-A')).toBe('no')
  expect(await may('patch', 'kustomizations.kustomize.toolkit.fluxcd.io', '-A')).toBe('no')
}, 120_000)
