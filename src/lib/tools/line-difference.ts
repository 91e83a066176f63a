/** One change of a text as a unified diff: everything between the first and the last line that differ. */
const around = 3

/** Empty when the texts are equal. */
export function lineDifference(file: string, before: string, after: string): string {
  if (before === after) return ''
  const [old, now] = [before.split('\n'), after.split('\n')]
  const most = Math.min(old.length, now.length)
  let head = 0
  while (head < most && old[head] === now[head]) head += 1
  let tail = 0
  while (tail < most - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1
  const from = Math.max(0, head - around)
  const follow = Math.min(tail, around)
  const shown = (lines: string[]) => lines.slice(head, lines.length - tail)
  const lines = [
    ...old.slice(from, head).map((line) => ` ${line}`),
    ...shown(old).map((line) => `-${line}`),
    ...shown(now).map((line) => `+${line}`),
    ...old.slice(old.length - tail, old.length - tail + follow).map((line) => ` ${line}`),
  ]
  const count = (all: string[]) => head - from + shown(all).length + follow
  return [
    `--- a/${file}`,
    `+++ b/${file}`,
    `@@ -${from + 1},${count(old)} +${from + 1},${count(now)} @@`,
    ...lines,
  ].join('\n')
}
