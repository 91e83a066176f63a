import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkRepository, loadRepository } from '../../../src/lib/config/load.ts'
import type { Problem } from '../../../src/lib/types.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/config')
const scratch = mkdtempSync(join(tmpdir(), 'k8sops-config-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** A repository that is valid but for some edits, and every problem that must be found in it. */
interface InvalidFixture {
  edits: ({ file: string; replace: string; with: string } | { delete: string } | { write: string; content: string })[]
  /** `at`: text of the line that is named; `END`: the last line; absent: line 1. */
  expect: { file: string; at?: string; message: string }[]
}

async function problemsOf(root: string): Promise<Problem[]> {
  const repository = await loadRepository(root)
  return [...repository.problems, ...(await checkRepository(repository))]
}

function lineOf(text: string, at: string | undefined): number {
  if (at === undefined) return 1
  if (at === 'END') return text.split('\n').length
  const lines = `${text}\n`
  const offset = lines.indexOf(at)
  expect(offset, `the fixture's text «${at}» is in the file`).toBeGreaterThanOrEqual(0)
  return lines.slice(0, offset).split('\n').length + (at.startsWith('\n') ? 1 : 0)
}

test('the valid fixture has no problem', async () => {
  expect(await problemsOf(join(fixtures, 'valid'))).toEqual([])
})

describe('each invalid fixture is refused for its reason, at its line, and for nothing else', () => {
  test.each(readdirSync(join(fixtures, 'invalid')).map((file) => basename(file, '.yaml')))('%s', async (name) => {
    const fixture = parse(readFileSync(join(fixtures, 'invalid', `${name}.yaml`), 'utf8')) as InvalidFixture
    const root = join(scratch, name)
    cpSync(join(fixtures, 'valid'), root, { recursive: true })
    for (const edit of fixture.edits) {
      if ('delete' in edit) {
        rmSync(join(root, edit.delete))
      } else if ('write' in edit) {
        mkdirSync(dirname(join(root, edit.write)), { recursive: true })
        writeFileSync(join(root, edit.write), edit.content)
      } else {
        const text = readFileSync(join(root, edit.file), 'utf8')
        expect(text, 'the edit applies').toContain(edit.replace)
        writeFileSync(
          join(root, edit.file),
          text.replace(edit.replace, () => edit.with),
        )
      }
    }
    const found = await problemsOf(root)
    const expected = fixture.expect.map(({ file, at, message }) => {
      const text = at === undefined ? '' : readFileSync(join(root, file), 'utf8')
      return { file, line: lineOf(text, at), message: expect.stringContaining(message) as string }
    })
    const byPlace = (a: Problem, b: Problem) => a.file.localeCompare(b.file) || a.line - b.line
    expect(found.toSorted(byPlace)).toEqual(expected.toSorted(byPlace))
  })
})
