/** What `talosctl dmesg` and `talosctl logs machined` show of a simulated machine. */

export interface KernelLog {
  write(message: string): void
  /** Lines so far (unless only new ones are wanted), then each new one while `follow` is set, until the signal aborts. */
  read(
    options: { follow: boolean; onlyNew: boolean },
    signal: AbortSignal,
    onLine: (line: string) => void,
  ): Promise<void>
  /** A reboot: the ring buffer is gone and readers end. */
  clear(): void
}

const kept = 2000

export function createKernelLog(): KernelLog {
  let lines: string[] = []
  const readers = new Map<(line: string) => void, () => void>()
  return {
    write(message) {
      const line = `user: ${'warning'.padStart(7)}: [${new Date().toISOString()}]: [talos] ${message}\n`
      lines.push(line)
      if (lines.length > kept) lines.shift()
      for (const reader of readers.keys()) reader(line)
    },
    read({ follow, onlyNew }, signal, onLine) {
      if (!onlyNew) for (const line of lines) onLine(line)
      if (!follow) return Promise.resolve()
      return new Promise((resolve) => {
        if (signal.aborted) return resolve()
        const end = () => {
          readers.delete(onLine)
          signal.removeEventListener('abort', end)
          resolve()
        }
        readers.set(onLine, end)
        signal.addEventListener('abort', end)
      })
    },
    clear() {
      lines = []
      for (const end of readers.values()) end()
    },
  }
}
