/**
 * A rule is waived where it is broken, with a reason: `# waive(rule-id): reason`, on the line itself, in the comment block
 * directly above it, or in the comments at the top of a file for the whole file. A waiver without a reason, of a rule that
 * there is not, or that waives nothing is a finding itself: exceptions are counted, and never outlive what they excuse.
 */
import type { SourceFile } from '../source-files.ts'

export interface Waiver {
  file: string
  /** Where the comment stands. */
  line: number
  rule: string
  reason: string
  /** Lines of findings that it covers; `whole` the whole file. */
  covers: 'whole' | { from: number; to: number }
}

const mark = /#\s*waive\(([^)]*)\):?[ \t]*(.*)$/

/** The waivers of a file, in order. */
export function waiversIn({ path, text }: SourceFile): Waiver[] {
  if (!text.includes('waive(')) return []
  const lines = text.split('\n')
  const isComment = (line: string | undefined) => /^\s*#/.test(line ?? '')
  const firstContent = lines.findIndex((line) => line.trim() !== '' && line.trim() !== '---' && !isComment(line))
  return lines.flatMap((line, index): Waiver[] => {
    const match = mark.exec(line)
    if (!match) return []
    const [, rule = '', reason = ''] = match
    const found = { file: path, line: index + 1, rule: rule.trim(), reason: reason.trim() }
    if (!isComment(line)) return [{ ...found, covers: { from: index + 1, to: index + 1 } }]
    if (index < firstContent) return [{ ...found, covers: 'whole' }]
    let next = index + 1
    while (next < lines.length && isComment(lines[next])) next += 1
    return [{ ...found, covers: { from: index + 1, to: next + 1 } }]
  })
}

/** Whether the waiver is about a finding of that rule at that line. One without a reason waives nothing. */
export const covers = (
  { file, rule, reason, covers: range }: Waiver,
  at: { file: string; line: number; rule: string },
): boolean =>
  reason !== '' &&
  rule === at.rule &&
  file === at.file &&
  (range === 'whole' || (at.line >= range.from && at.line <= range.to))
