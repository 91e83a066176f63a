/** `k8sops platform openbao-init`: what is planned, and that what initializing gives out ends in 1Password's template, whole. */

import { describe, expect, test } from 'vitest'
import { firstServer, itemTemplate, planOpenbaoInit } from '../../src/lib/ops/openbao-init.ts'
import { object } from '../helpers/platform-objects.ts'
import { fc } from '../helpers/seeded-check.ts'
import { cluster as fixture } from './gates-world.ts'

const cluster = fixture()
const plan = planOpenbaoInit(
  {
    cluster,
    target: { context: 'infra' },
    pod: { namespace: 'vault', name: 'vault-0' },
    item: 'openbao-init',
    vault: 'k8s-infra',
    template: 'bootstrap/infra/openbao.tpl',
  },
  { commit: 'COMMIT', digest: 'DIGEST', observed: {} },
)

describe('the plan', () => {
  test('initializes once, with 1Password asked first, and never half', () => {
    const [init] = plan.steps
    expect(init).toMatchObject({ interrupt: 'after', unless: [{ gate: 'openbao-initialized' }] })
    expect(init?.require?.map(({ gate }) => gate)).toEqual(['openbao-running', 'op-signed-in'])
    expect(init?.verify.map(({ gate }) => gate)).toEqual(['openbao-initialized', 'openbao-unsealed'])
  })

  test('is a pipeline from the server to 1Password and back, through no file', () => {
    const lines = plan.steps.map(({ action }) =>
      action.kind === 'exec' ? action.pipeline.map(({ tool, args }) => [tool, ...args].join(' ')) : [],
    )
    expect(lines).toEqual([
      [
        'kubectl --context infra --namespace vault exec -i vault-0 --container openbao -- bao operator init -format=json -recovery-shares=5 -recovery-threshold=3',
        'k8sops platform openbao-item --title openbao-init',
        'op item create --vault k8s-infra -',
      ],
      [
        'op inject -i bootstrap/infra/openbao.tpl',
        'kubectl --context infra --namespace vault exec -i vault-0 --container openbao -- sh /openbao/setup/configure.sh',
      ],
    ])
  })
})

describe('the item', () => {
  const answer = (token: string, keys: string[]) =>
    JSON.stringify({ unseal_keys_b64: [], recovery_keys_b64: keys, recovery_keys_threshold: 3, root_token: token })

  test('has every key and the token, concealed', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.string(), { minLength: 1, maxLength: 9 }), (token, keys) => {
        const { fields, title } = JSON.parse(itemTemplate('t', answer(token, keys))) as {
          title: string
          fields: { type: string; value: string; label: string }[]
        }
        expect(title).toBe('t')
        expect(fields.map(({ value }) => value)).toEqual([token, ...keys])
        expect(new Set(fields.map(({ type }) => type))).toEqual(new Set(['CONCEALED']))
        expect(new Set(fields.map(({ label }) => label)).size).toBe(fields.length)
      }),
    )
  })

  test.each([
    ['not JSON', 'Error initializing: server is already initialized'],
    ['no token', answer('', ['a'])],
    ['no keys', answer('a', [])],
  ])('is refused: %s', (_, text) => {
    expect(() => itemTemplate('t', text)).toThrow()
  })
})

test('the first server is asked, whatever order they are listed in', () => {
  expect(firstServer([object('vaults', 'b'), object('vaults', 'a')])).toEqual({ namespace: 'platform', name: 'a-0' })
  expect(firstServer([])).toBeUndefined()
})
