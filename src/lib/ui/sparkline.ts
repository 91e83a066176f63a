/** Figures over time, in a terminal: a line of blocks, or a picture of several lines. */

/** Undefined where there is nothing. */
export type Sample = number | undefined

const blocks = [...'▁▂▃▄▅▆▇█']

/** One character a sample, between the least and the greatest of them; blank where there is none. */
export function sparkline(samples: Sample[]): string {
  const { least, span } = boundsOf(samples)
  return samples
    .map((sample) => {
      if (sample === undefined || !Number.isFinite(sample)) return ' '
      const level = span === 0 ? 0 : Math.round(((sample - least) / span) * (blocks.length - 1))
      return blocks[level] ?? ' '
    })
    .join('')
}

/** Columns of blocks over an axis, with the greatest and the least value beside it. */
export function columnChart(samples: Sample[], height: number, label: (value: number) => string): string {
  const { least, greatest, span } = boundsOf(samples)
  const marks = [label(greatest), label(least)]
  const width = Math.max(...marks.map((mark) => mark.length))
  const eighths = samples.map((sample) => {
    if (sample === undefined || !Number.isFinite(sample)) return 0
    return span === 0 ? 4 : Math.max(1, Math.round(((sample - least) / span) * height * 8))
  })
  const lines = Array.from({ length: height }, (_, index) => {
    const below = (height - 1 - index) * 8
    const bars = eighths.map((level) => (level <= below ? ' ' : (blocks[Math.min(level - below, 8) - 1] ?? ' ')))
    const mark = index === 0 ? marks[0] : index === height - 1 ? marks[1] : ''
    return `${(mark ?? '').padStart(width)} ┤${bars.join('')}`.trimEnd()
  })
  return lines.join('\n')
}

function boundsOf(samples: Sample[]): { least: number; greatest: number; span: number } {
  const known = samples.filter((sample): sample is number => sample !== undefined && Number.isFinite(sample))
  if (known.length === 0) return { least: 0, greatest: 0, span: 0 }
  const least = known.reduce((a, b) => Math.min(a, b))
  const greatest = known.reduce((a, b) => Math.max(a, b))
  return { least, greatest, span: greatest - least }
}

/** The last known value of each of `width` equal parts of a time. */
export function resample(points: [at: number, value: number][], from: number, to: number, width: number): Sample[] {
  const samples: Sample[] = Array.from({ length: width }, () => undefined)
  for (const [at, value] of points) {
    const index = to === from ? 0 : Math.floor(((at - from) / (to - from)) * width)
    if (index >= 0 && index <= width) samples[Math.min(index, width - 1)] = value
  }
  return samples
}

/** `1.23M`, `0.05`, `42`: three figures that count. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  const units: [number, string][] = [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ]
  const unit = units.find(([least]) => size >= least)
  if (!unit) return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)))
  const [least, letter] = unit
  return `${Number((value / (letter === 'k' ? 1e3 : least)).toPrecision(3))}${letter}`
}
