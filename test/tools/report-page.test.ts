/** The report's HTML, looked at in a real browser: what an operator sees, at the width of a screen and of a telephone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { figureOf, type Report, topOf, trendOf } from '../../src/lib/ops/report.ts'
import { figureQuestions, topQuestions, trendQuestions } from '../../src/lib/ops/report-questions.ts'
import { reportHtml } from '../../src/lib/ui/report-html.ts'
import { type Browser, type Page, startBrowser } from '../helpers/browser.ts'

const dir = mkdtempSync(join(tmpdir(), 'k8sops-report-'))
const day = 86_400
const to = Date.parse('2026-11-30T12:00:00Z') / 1000
const line = (from: number, step: number) =>
  Array.from({ length: 160 }, (_, index): [number, number] => [
    to - 7 * day + (index * 7 * day) / 159,
    from + index * step,
  ])

const report: Report = {
  from: '2026-11-23T12:00:00Z',
  to: '2026-11-30T12:00:00Z',
  clusters: ['infra', 'apps'].map((name) => ({
    name,
    follows: name === 'infra' ? 'main' : 'release',
    figures: figureQuestions.map((question, index) =>
      figureOf(
        question,
        [{ labels: {}, points: [[to, index === 4 ? 70 : index === 3 ? 0.97 : index === 5 ? 0 : 0.9995]] }],
        7 * day,
      ),
    ),
    trends: trendQuestions.map((question, index) =>
      trendOf(question, [{ labels: {}, points: line(0.2 + index * 0.2, 0.001) }]),
    ),
    tops: topQuestions.map((question) =>
      topOf(question, [
        {
          labels: { namespace: 'business', pod: `odoo-${'x'.repeat(60)}`, name: '<script>alert(1)</script>' },
          points: [[to, 12]],
        },
      ]),
    ),
    status: [
      { name: 'nodes', state: 'ok', summary: '6 of 6 Ready', next: null },
      { name: 'ceph', state: 'fail', summary: 'HEALTH_WARN: 1 nearfull osd(s)', next: 'ceph status' },
    ],
    changes: [
      { commit: 'a'.repeat(40), at: '2026-11-29T10:00:00Z', author: 'Jane <jane@x>', subject: 'Raise & lower' },
    ],
    gaps: ['Backups of volumes missed: no data'],
  })),
}

let browser: Browser
beforeAll(async () => {
  writeFileSync(join(dir, 'report.html'), reportHtml(report))
  browser = await startBrowser()
})
afterAll(async () => {
  await browser?.close()
  rmSync(dir, { recursive: true, force: true })
})

describe.each([
  ['a screen', { width: 1280, height: 900 }],
  ['a telephone', { width: 390, height: 800 }],
])('on %s', (_, size) => {
  let page: Page
  beforeAll(async () => {
    page = await browser.open(join(dir, 'report.html'), size)
  })

  it('asks nobody for anything and complains about nothing', () => {
    expect(page.requests).toEqual([])
    expect(page.errors).toEqual([])
  })

  it('shows every cluster with its figures, marked as met or missed', async () => {
    expect(await page.evaluate<string[]>('[...document.querySelectorAll("h2")].map((one) => one.textContent)')).toEqual(
      ['infra', 'apps'],
    )
    const missed = '[...document.querySelectorAll("#infra .missed")].map((one) => one.innerText)'
    const texts = await page.evaluate<string[]>(missed)
    expect(texts).toHaveLength(2)
    expect(texts.join()).toContain('97 %')
    expect(texts.join()).toContain('at most 5 (NFR18)')
    expect(await page.evaluate('document.querySelectorAll("#infra .met").length')).toBe(2)
    // What came from a cluster is text, whatever it looks like.
    expect(await page.evaluate('document.scripts.length')).toBe(0)
    expect(await page.evaluate<string>('document.body.innerText')).toContain('<script>alert(1)</script>')
  })

  it('draws its pictures, and nothing sticks out of the page', async () => {
    const pictures = await page.evaluate<{ width: number; height: number; path: number }[]>(
      '[...document.querySelectorAll("svg")].map((svg) => { const box = svg.getBoundingClientRect(); return { width: box.width, height: box.height, path: svg.querySelector("path").getTotalLength() } })',
    )
    expect(pictures).toHaveLength(6)
    for (const { width, height, path } of pictures) {
      expect(width).toBeGreaterThan(200)
      expect(height).toBeGreaterThan(60)
      expect(path).toBeGreaterThan(300)
    }
    expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)
    const outside =
      '[...document.querySelectorAll("td, b, small, figcaption, text")].filter((one) => one.getBoundingClientRect().right > innerWidth).length'
    expect(await page.evaluate(outside)).toBe(0)
  })

  it('is not blank', async () => {
    const png = await page.screenshot()
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    // A blank page of that size is a few kilobytes.
    expect(png.length).toBeGreaterThan(30_000)
    if (process.env.K8SOPS_TEST_SCREENSHOTS)
      writeFileSync(join(process.env.K8SOPS_TEST_SCREENSHOTS, `report-${size.width}.png`), png)
  })
})
