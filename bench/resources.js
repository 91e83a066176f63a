// Preloaded by measure.ts: leaves what the process used behind when it ends (process.resourceUsage, KiB and microseconds).
import { writeFileSync } from 'node:fs'

process.on('exit', () => writeFileSync(process.env.RESOURCES_FILE, JSON.stringify(process.resourceUsage())))
