/** How a claim, or a namespace for all claims in it, says that nobody has to back it up: `none`, and why. */
export const backupKey = 'k8sops.dev/backup'
export const backupReasonKey = 'k8sops.dev/backup-reason'
