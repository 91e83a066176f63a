/**
 * A secret from 1Password into running pods, each hop timed (NFR5). External Secrets and Reloader are played, 1Password is the lab's own;
 * the API server, the rollout and the pods' scheduling are real.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { boundaries, killAtBoundaries } from '../helpers/kill.ts'
import { inLab, repositoryRoot } from '../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { full } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let lab: LabCli
const namespace = 'rotation-test'
const name = 'rotation-test'
const kubectl = async (...args: string[]) => {
  const ended = await inLab(lab.record, 'kubectl', ...args)
  if (ended.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${ended.stderr}`)
  return ended.stdout
}
const secret = async () =>
  Buffer.from(
    await kubectl('-n', namespace, 'get', 'secret', name, '-o', 'jsonpath={.data.token}'),
    'base64',
  ).toString()
const rotate = (limit: string) => lab.run(['secrets', 'rotate-test', '--limit', limit, '--yes', '--confirm', name])
const sync = (limit: string) => lab.run(['secrets', 'sync', name, '--limit', limit, '--yes'])

beforeAll(async () => {
  const shared = await sharedLab()
  lab = labCli(shared.record, shared.env)
  await kubectl('apply', '-k', join(repositoryRoot, 'docs/examples/rotation-test'))
  await kubectl('-n', namespace, 'wait', '--for=create', `secret/${name}`, '--timeout=60s')
  await kubectl('-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=60s')
})
afterAll(async () => {
  await lab.clearFaults('external-secret-stale')
  await kubectl('delete', 'namespace', namespace)
})

/** Everything that a run has told and left. */
function traces({ stdout, stderr, result }: CliEnded): string {
  const dir = join(lab.record.root, '.k8sops/runs', result?.runId ?? '')
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return [stdout, stderr, ...files.map((one) => readFileSync(join(one.parentPath, one.name), 'utf8'))].join('\n')
}

it('follows a change of the item into every pod, hop by hop, and shows no value anywhere', async () => {
  const before = await secret()
  const ended = await rotate('2m')
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  const steps = ended.result?.steps ?? []
  expect(steps.map(({ id, state }) => [id.split('/')[1], state])).toEqual(
    ['renew', 'ask', 'refreshed', 'changed', 'in-pods'].map((verb) => [verb, 'done']),
  )
  expect(steps.every(({ seconds }) => typeof seconds === 'number')).toBe(true)
  const after = await secret()
  expect(after).not.toBe(before)
  expect(after).toHaveLength(before.length)
  for (const value of [before, after]) expect(traces(ended)).not.toContain(value)
})

it('is not deceived by an ExternalSecret that is Ready from an old refresh', async () => {
  await lab.addFault({ name: 'external-secret-stale' })
  const ended = await sync('6s')
  expect(ended, told(ended)).toMatchObject({ code: 3 })
  expect(statesOf(ended.result)).toMatchObject({ [`${namespace}.${name}/refreshed`]: 'failed' })
  expect(ended.result?.error?.message).toContain('syncedResourceVersion')
  await lab.clearFaults('external-secret-stale')
  const again = await sync('1m')
  expect(again, told(again)).toMatchObject({ code: 0 })
})

it('goes on where a killed process left it', async () => {
  const kill = boundaries(
    full ? undefined : ['process-started item/renew op', `process-started ${namespace}.${name}/ask kubectl`],
  )
  const command = ['secrets', 'rotate-test', '--limit', '2m', '--confirm', name]
  const { last, kills } = await killAtBoundaries(lab, command, kill)
  kill.remove()
  expect(last, told(last)).toMatchObject({ code: 0 })
  expect(kills).toBeGreaterThanOrEqual(2)
})

it('names pods that go on with the old value, and sees that a restart helps', async () => {
  await kubectl('-n', namespace, 'annotate', 'deployment', name, 'reloader.stakater.com/auto-')
  const ended = await rotate('30s')
  expect(ended, told(ended)).toMatchObject({ code: 3 })
  expect(statesOf(ended.result)).toMatchObject({
    [`${namespace}.${name}/changed`]: 'done',
    [`${namespace}.${name}/in-pods`]: 'failed',
  })
  expect(ended.result?.error?.message).toContain(`started before Secret ${name} was written`)
  await kubectl('-n', namespace, 'rollout', 'restart', `deployment/${name}`)
  const again = await sync('2m')
  expect(again, told(again)).toMatchObject({ code: 0 })
})

it('changes nothing without the name of the item, and nothing that nobody takes', async () => {
  const before = await secret()
  expect((await lab.run(['secrets', 'rotate-test', '--yes'])).code).toBe(2)
  expect(
    (await lab.run(['secrets', 'rotate-test', '--item', 'nobody-takes-this', '--yes', '--confirm', 'x'])).code,
  ).toBe(3)
  expect((await lab.run(['secrets', 'sync', 'nobody', '--yes'])).code).toBe(2)
  expect(await secret()).toBe(before)
})
