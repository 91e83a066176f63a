/** A terminal's screen that is drawn anew as a whole: what is shown stays in place, and nothing of it is left behind. */
export interface Screen {
  columns: number
  rows: number
  show: (text: string) => void
  /** Gives the terminal back as it was. */
  close: () => void
}

type Terminal = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number }

/** At most so many pictures a second, whatever changes. */
const betweenMs = 200

const control = {
  enter: '\u001b[?1049h\u001b[?25l',
  leave: '\u001b[?25h\u001b[?1049l',
  home: '\u001b[H',
  lineEnd: '\u001b[K',
  below: '\u001b[J',
}

/** Undefined where there is no terminal to draw on. */
export function openScreen(stream: Terminal): Screen | undefined {
  if (!stream.isTTY) return undefined
  let wanted: string | undefined
  let timer: NodeJS.Timeout | undefined
  const size = () => ({ columns: stream.columns ?? 100, rows: stream.rows ?? 40 })
  const draw = () => {
    timer = undefined
    if (wanted === undefined) return
    const lines = wanted.split('\n').slice(0, size().rows - 1)
    stream.write(`${control.home}${lines.map((line) => `${line}${control.lineEnd}\n`).join('')}${control.below}`)
    wanted = undefined
    timer = setTimeout(draw, betweenMs)
  }
  stream.write(control.enter)
  return {
    get columns() {
      return size().columns
    },
    get rows() {
      return size().rows
    },
    show(text) {
      wanted = text
      if (!timer) draw()
    },
    close() {
      clearTimeout(timer)
      stream.write(control.leave)
    },
  }
}
