/** How much longer things may take than on a quiet machine, because others compute on it as well. */
import { availableParallelism, loadavg } from 'node:os'

/** 1 on a quiet machine; the load of now, up to 6. */
export const slowness = () => Math.min(Math.max(1, (loadavg()[0] ?? 0) / availableParallelism() / 2), 6)

/**
 * Limits of a test are this many times as long. The same for the whole test, so that what is given to a command and what
 * is expected of it fit together.
 */
export const patience = slowness()
