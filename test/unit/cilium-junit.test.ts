/** Reports as cilium CLI 0.19 writes them with encoding/xml. */
import { describe, expect, it } from 'vitest'
import { ciliumTestCases, judgeCilium } from '../../src/lib/ops/cilium-junit.ts'

const report = (...cases: string[]) => `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="${cases.length}" disabled="0" errors="0" failures="0" time="3.5">
  <testsuite name="connectivity test" id="0" package="cilium" tests="${cases.length}" errors="0" failures="0" time="3.5" timestamp="2026-11-30T11:00:00Z">
      <properties>
          <property name="Args" value="--context|apps|--test|^no-policies$"></property>
      </properties>
${cases.join('\n')}
  </testsuite>
</testsuites>`
const passed = (name: string, sec = 1.25) =>
  `<testcase name="${name}" classname="connectivity test" status="passed" time="${sec}"></testcase>`
const skipped = (name: string) =>
  `<testcase name="${name}" classname="connectivity test" status="skipped" time="0"><skipped message="${name} skipped"></skipped></testcase>`
const failed = (name: string, value: string) =>
  `<testcase name="${name}" classname="connectivity test" status="failed" time="2"><properties><property name="owner" value="@a/b"></property></properties><failure message="${name} failed" type="failure">${value}</failure></testcase>`

describe('ciliumTestCases', () => {
  it('reads every test with what became of it, and its reason as it was before it was escaped', () => {
    const xml = report(
      passed('no-policies'),
      skipped('encrypt'),
      failed('client-egress', 'a -&gt; b: &#34;28&#34;&#xA;second'),
    )
    expect(ciliumTestCases(xml)).toEqual([
      { name: 'no-policies', state: 'passed', sec: 1.25, reason: '' },
      { name: 'encrypt', state: 'skipped', sec: 0, reason: '' },
      { name: 'client-egress', state: 'failed', sec: 2, reason: 'a -> b: "28"\nsecond' },
    ])
  })

  it('knows a test that failed without a word, and one without an end tag', () => {
    const xml = report(
      '<testcase name="a" status="failed" time="1"/>',
      '<testcase name="b" time="1"><error type="x" message="broke"/></testcase>',
    )
    expect(ciliumTestCases(xml).map(({ name, state, reason }) => [name, state, reason])).toEqual([
      ['a', 'failed', ''],
      ['b', 'failed', 'broke'],
    ])
  })

  it('refuses what is no report', () => {
    expect(() => ciliumTestCases('connection refused')).toThrow('no report of junit')
  })
})

describe('judgeCilium', () => {
  it('passes when tests were run and none has failed', () => {
    expect(judgeCilium(report(passed('a', 2), passed('b', 3.4), skipped('c')), '')).toEqual({
      check: 'cilium',
      state: 'passed',
      detail: '2 tests passed, 1 skipped, in 5 s',
    })
  })

  it('names those that failed, with the first line of why', () => {
    const { state, detail } = judgeCilium(report(passed('a'), failed('client-egress', 'curl: (28)&#xA;more')), '')
    expect([state, detail]).toEqual([
      'failed',
      '1 tests failed, 1 tests passed, 0 skipped, in 3 s; client-egress: curl: (28)',
    ])
  })

  it.each([
    ['no report', undefined, 'not installed'],
    ['a torn one', '<html>', "its report can't be read: no report of junit"],
    [
      'one in which everything was skipped',
      report(skipped('a')),
      'no test was run (0 tests passed, 1 skipped, in 0 s)',
    ],
    ['an empty one', report(), 'no test was run (0 tests passed, 0 skipped, in 0 s)'],
  ])('takes %s for no success', (_, xml, detail) => {
    expect(judgeCilium(xml, 'not installed')).toEqual({ check: 'cilium', state: 'unproven', detail })
  })
})
