/** What `secrets sync` and `secrets rotate-test` plan, and that no value of a secret is ever in a plan. */
import { describe, expect, test } from 'vitest'
import { shortDigest } from '../../src/lib/gates/secret-digest.ts'
import {
  planRotation,
  planSync,
  renewedItem,
  type SecretView,
  secretsOfApp,
  secretsOfItem,
  secretView,
} from '../../src/lib/ops/secret-hops.ts'
import { cluster as fixture } from './gates-world.ts'

const canary = 'CANARY-value-of-a-secret'
const view = (name: string, change: Partial<SecretView> = {}): SecretView => ({
  namespace: 'shop',
  name,
  target: `${name}-secret`,
  seen: '1-a',
  owner: 'shop',
  takes: [{ item: 'web', field: 'password' }],
  ...change,
})
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const input = {
  cluster: fixture(),
  target: { context: 'apps' },
  secrets: [view('web'), view('db')],
  token: 'secrets.sync/1',
  since: '2026-11-30T11:00:00Z',
  limitSec: 600,
}

test('what an ExternalSecret takes, and who applies it', () => {
  const object = {
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'web', namespace: 'shop', labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } },
    spec: {
      data: [{ secretKey: 'a', remoteRef: { key: 'web', property: 'password' } }],
      dataFrom: [{ extract: { key: 'mail' } }],
    },
    status: { syncedResourceVersion: '3-x' },
  }
  expect(secretView(object)).toEqual({
    namespace: 'shop',
    name: 'web',
    target: 'web',
    seen: '3-x',
    owner: 'shop',
    takes: [{ item: 'web', field: 'password' }, { item: 'mail' }],
  })
})

test('an application by its owner, an item by the field that is taken', () => {
  const all = [view('web'), view('db', { owner: 'db' }), view('mail', { takes: [{ item: 'mail' }] })]
  expect(secretsOfApp(all, 'shop').map(({ name }) => name)).toEqual(['web', 'mail'])
  expect(secretsOfApp(all, 'shop/db').map(({ name }) => name)).toEqual(['db'])
  expect(() => secretsOfApp(all, 'nobody')).toThrowError(/nobody has no ExternalSecret/)
  expect(secretsOfItem(all, 'mail', 'anything', 'apps').map(({ name }) => name)).toEqual(['mail'])
  expect(() => secretsOfItem(all, 'web', 'user', 'apps')).toThrowError(/takes field user of item web/)
})

describe('hops', () => {
  test('of a sync: asked side by side, refreshed after that, in the pods; within the limit', () => {
    const { steps, targetSec } = planSync(input, 'shop', basis)
    expect(steps.map(({ id }) => id)).toEqual(
      ['ask', 'refreshed', 'in-pods'].flatMap((verb) => [`shop.web/${verb}`, `shop.db/${verb}`]),
    )
    expect(steps.filter(({ finding }) => finding).reduce((sum, { timeoutSec }) => sum + timeoutSec / 2, 0)).toBe(600)
    expect(steps[2]?.verify).toEqual([
      {
        gate: 'external-secret-refreshed',
        params: { namespace: 'shop', name: 'web', seen: '1-a', since: input.since },
      },
    ])
    expect(targetSec).toBe(600)
  })

  test('of a rotation: the item first; at least one pod has to have it; digests only', () => {
    const digests = { field: shortDigest(canary, 's'), secrets: { 'shop/web-secret': 'abc', 'shop/db-secret': 'def' } }
    const plan = planRotation(
      { ...input, vault: 'k8s-apps', item: 'web', field: 'password', salt: 's', digests },
      basis,
    )
    expect(plan.steps[0]?.action).toMatchObject({
      pipeline: [
        { tool: 'op', args: ['item', 'get', 'web', '--vault', 'k8s-apps', '--format', 'json'] },
        { tool: 'k8sops', args: ['secrets', 'renew-field', 'password'] },
        { tool: 'op', args: ['item', 'edit', 'web', '--vault', 'k8s-apps'] },
      ],
    })
    const findings = plan.steps.filter(({ finding }) => finding)
    expect(findings.reduce((sum, { timeoutSec }) => sum + timeoutSec / 2, 0)).toBe(600)
    expect(plan.steps.at(-1)?.verify[0]?.params).toMatchObject({ name: 'db-secret', atLeast: '1' })
    expect(JSON.stringify(plan)).not.toContain(canary)
  })
})

describe('the item that is changed', () => {
  const item = {
    id: 'x',
    fields: [
      { id: 'password', type: 'CONCEALED', label: 'password', value: canary },
      { id: 'u', type: 'STRING', label: 'user', value: 'jane' },
      { id: 'e', type: 'CONCEALED', label: 'empty' },
    ],
  }
  const random = (length: number) => 'r'.repeat(length)
  test('keeps everything but one concealed field, which keeps its length', () => {
    const renewed = JSON.parse(renewedItem(JSON.stringify(item), 'password', random)) as typeof item
    expect(renewed).toEqual({
      ...item,
      fields: [{ ...item.fields[0], value: 'r'.repeat(canary.length) }, ...item.fields.slice(1)],
    })
  })
  test.each(['user', 'empty', 'nothing'])('is left alone for the field %s', (field) => {
    expect(() => renewedItem(JSON.stringify(item), field, random)).toThrowError(/no concealed field/)
  })
  test('says of what it can not read nothing that stood there', () => {
    expect(() => renewedItem(`${canary} {`, 'password', random)).toThrowError(/^(?!.*CANARY).*is no item/)
  })
})
