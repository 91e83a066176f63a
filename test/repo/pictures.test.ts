/** The pictures of docs/architecture.md show what is: each is drawn anew, and the committed one is the same. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pictures } from '../../docs/pictures.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

test('no picture is out of date', async () => {
  const drawn = await pictures(offline)
  const text = readFileSync(join(projectRoot, 'docs/architecture.md'), 'utf8')
  for (const [file, svg] of drawn) {
    expect(text, `docs/architecture.md does not show ${file}`).toContain(`(${file.replace('docs/', '')})`)
    const committed = readFileSync(join(projectRoot, file), 'utf8')
    expect(committed === svg, `${file} is out of date: node docs/pictures.ts`).toBe(true)
  }
})
