/** The report of `cilium connectivity test --junit-file` (cilium CLI 0.19, connectivity/check/junit.go): one suite, a testcase a test. Pure. */
import type { CheckRow } from '../tools/connectivity-record.args.ts'

interface TestCase {
  name: string
  state: 'passed' | 'failed' | 'skipped'
  sec: number
  reason: string
}

/** @throws Error for what is no such report */
export function ciliumTestCases(xml: string): TestCase[] {
  if (!/<testsuites?\b/.test(xml)) throw new Error('no report of junit')
  // encoding/xml writes attributes in double quotes and escapes every `<` and `>` in them, so a tag ends at the first `>`.
  const cases = [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
  return cases.map(([, head = '', body = '']) => {
    const failure = /<(?:failure|error)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/.exec(body)
    const status = attribute(head, 'status')
    const state =
      failure || status === 'failed' ? 'failed' : status === 'skipped' || /<skipped\b/.test(body) ? 'skipped' : 'passed'
    const reason = text(failure?.[2] ?? '').trim() || attribute(failure?.[1] ?? '', 'message')
    return { name: attribute(head, 'name'), state, sec: Number(attribute(head, 'time')) || 0, reason }
  })
}

/** @param xml undefined where no report was left @param why then */
export function judgeCilium(xml: string | undefined, why: string): CheckRow {
  const check = 'cilium'
  if (xml === undefined) return { check, state: 'unproven', detail: why }
  let cases: TestCase[]
  try {
    cases = ciliumTestCases(xml)
  } catch (cause) {
    return { check, state: 'unproven', detail: `its report can't be read: ${(cause as Error).message}` }
  }
  const [passed, failed, skipped] = (['passed', 'failed', 'skipped'] as const).map((state) =>
    cases.filter((one) => one.state === state),
  )
  const failures = (failed ?? []).map(({ name, reason }) => `${name}: ${reason.split('\n')[0]?.slice(0, 160)}`)
  const sec = Math.round(cases.reduce((sum, one) => sum + one.sec, 0))
  const counts = `${passed?.length} tests passed, ${skipped?.length} skipped, in ${sec} s`
  if (failures.length > 0)
    return {
      check,
      state: 'failed',
      detail: [`${failures.length} tests failed, ${counts}`, ...failures.slice(0, 10)].join('; '),
    }
  if ((passed ?? []).length === 0) return { check, state: 'unproven', detail: `no test was run (${counts})` }
  return { check, state: 'passed', detail: counts }
}

const attribute = (tag: string, name: string): string => text(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '')

const named: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
const text = (xml: string): string =>
  xml.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    return named[name ?? ''] ?? whole
  })
