import { processes } from '../exec/process-info.ts'

/** `user@host`, as it stands in locks and on what an operator holds. */
export const operatorName = (): string => processes.self().who
