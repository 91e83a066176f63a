/** `npm run bench [-- start-up|bootstrap|flux|gates|netpol|forecast|status|upgrade|validate|query|secrets]`: every figure of the project, printed as ratios in one run. */
import { availableParallelism, loadavg } from 'node:os'
import { benchBootstrap } from './bootstrap.ts'
import { benchFlux } from './flux.ts'
import { benchForecast } from './forecast.ts'
import { benchGates } from './gates.ts'
import { benchNetpol } from './netpol.ts'
import { benchQuery } from './query.ts'
import { benchSecrets } from './secrets.ts'
import { benchStartUp } from './start-up.ts'
import { benchStatus } from './status.ts'
import { benchUpgrade } from './upgrade.ts'
import { benchValidate } from './validate.ts'

const benches: Record<string, () => void | Promise<void>> = {
  'start-up': benchStartUp,
  bootstrap: benchBootstrap,
  flux: benchFlux,
  gates: benchGates,
  netpol: benchNetpol,
  forecast: benchForecast,
  status: benchStatus,
  upgrade: benchUpgrade,
  validate: benchValidate,
  query: benchQuery,
  secrets: benchSecrets,
}
const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
for (const [name, bench] of Object.entries(benches)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  // A figure of a machine that others use says little without it.
  console.log(`${name}, at a load of ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores`)
  await bench()
}
