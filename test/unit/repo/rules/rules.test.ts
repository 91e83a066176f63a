import { describe, expect, test } from 'vitest'
import { ruleNamed, rules } from '../../../../src/lib/repo/rules/catalog.ts'
import { checkRules } from '../../../../src/lib/repo/rules/check.ts'
import type { Rule } from '../../../../src/lib/repo/rules/rule.ts'
import { detailCases } from './cases-details.ts'
import { familyCases } from './cases-families.ts'
import { fileCases } from './cases-files.ts'
import { objectCases } from './cases-objects.ts'
import { referenceCases } from './cases-references.ts'
import { relationCases } from './cases-relations.ts'
import { type Clusters, type Texts, viewOf } from './view.ts'

const cases = { ...fileCases, ...objectCases, ...detailCases, ...relationCases, ...referenceCases, ...familyCases }

async function said(rule: string, texts: Texts, clusters?: Clusters): Promise<string[]> {
  const { findings } = await checkRules(await viewOf(texts, clusters), { only: [ruleNamed(rule) as Rule] })
  expect(findings.every((finding) => finding.rule === rule)).toBe(true)
  return findings.map(({ file, line, message }) => `${file}:${line}: ${message}`)
}

describe('a rule complains about what breaks it, at its line, and about nothing else', () => {
  test.each(Object.entries(cases))('%s', async (rule, { breaks, says, sound, clusters }) => {
    expect(await said(rule, breaks, clusters)).toEqual(says)
    expect(await said(rule, sound, clusters)).toEqual([])
  })

  test('every rule is broken here, but those that report what others found', () => {
    const elsewhere = ['renders', 'facts-agree']
    expect(
      rules
        .map(({ id }) => id)
        .filter((id) => !cases[id])
        .sort(),
    ).toEqual(elsewhere.sort())
  })
})

describe('waivers', () => {
  const file = 'kubernetes/infrastructure/x/a.yaml'
  const confirm = ruleNamed('confirm-where-it-is-read') as Rule
  const check = async (text: string, only?: readonly Rule[]) => {
    const { findings, waived } = await checkRules(await viewOf({ [file]: text }), { only: only ?? [confirm] })
    return {
      findings: findings.map(({ line, rule, message }) => `${line} ${rule}: ${message}`),
      waived: waived.map(({ reason }) => reason),
    }
  }
  const broken = 'b: 2 # CONFIRM: x'

  test.each([
    ['on the line', `a: 1\n${broken} # waive(confirm-where-it-is-read): the reason\n`],
    ['in the comments above it', `a: 1\n# waive(confirm-where-it-is-read): the reason\n# more\n${broken}\n`],
    ['at the top, for the whole file', `# waive(confirm-where-it-is-read): the reason\na: 1\n${broken}\n`],
  ])('%s', async (_, text) => {
    expect(await check(text)).toEqual({ findings: [], waived: ['the reason'] })
  })

  test('of another rule, or elsewhere, waives nothing', async () => {
    const text = `a: 1 # waive(confirm-where-it-is-read): here\n${broken}\n`
    expect(await check(text)).toEqual({
      findings: ['2 confirm-where-it-is-read: a CONFIRM mark that nothing reads'],
      waived: [],
    })
  })

  test('without a reason, without an effect, of no rule: a finding', async () => {
    const text = [
      `${broken} # waive(confirm-where-it-is-read):`,
      'c: 1 # waive(image-pinned): nothing is wrong here',
      'd: 1 # waive(nope): what',
    ].join('\n')
    const { findings } = await check(`${text}\n`, rules)
    expect(findings.filter((line) => line.includes('waive'))).toEqual([
      '1 waiver: waiver of confirm-where-it-is-read gives no reason',
      '2 waiver: waiver of image-pinned has no effect: nothing is wrong here',
      '3 waiver: waiver of nope, which is no rule',
    ])
    expect(findings).toContain('1 confirm-where-it-is-read: a CONFIRM mark that nothing reads')
  })
})

test('what two clusters share is said once, with both names', async () => {
  const texts = { 'kubernetes/infrastructure/x.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n' }
  const { findings } = await checkRules(await viewOf(texts, { infra: {}, apps: {} }), {
    only: [ruleNamed('namespace-quota') as Rule],
  })
  expect(findings).toMatchObject([{ line: 4, clusters: ['infra', 'apps'] }])
})
