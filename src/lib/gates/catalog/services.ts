/** What a cluster does for those who use it, beside its workloads: certificates, backups, alerts. */
import type { Condition, Gate } from '../types.ts'

const gatesRunbook = 'docs/runbooks/gates.md'
const alertsRunbook = 'docs/runbooks/alerts.md'

/** A base backup a day, volumes every eight hours (FR59): a day, and time to run. */
const backupAgeSec = 26 * 3600

/** Whoever suspends with k8sops leaves a note with an end; what is suspended without one fails here, as nobody knows why. */
const noted = {
  atLeast: 0,
  where: [{ path: 'spec.suspend', in: ['true'] }] as Condition[],
  every: [{ path: 'metadata.annotations[k8sops.dev/hold-until]', dueForSec: 0 }] as Condition[],
}

export const serviceGates = {
  'holds-current': {
    title: 'what is suspended or bypassed says until when, and that time is not over',
    all: [
      { object: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, expect: noted },
      { object: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' }, expect: noted },
      {
        object: { apiVersion: 'v1', kind: 'Namespace', labelSelector: 'k8sops.dev/netpol-bypass' },
        expect: { atLeast: 0, every: noted.every },
      },
    ],
    params: [],
    everySec: 15,
    next: 'k8sops holds list; find out who needs it before you end it',
    runbook: 'docs/runbooks/holds.md',
  },
  'certificates-ready': {
    title: 'every Certificate is Ready, and none waits to be renewed',
    object: { apiVersion: 'cert-manager.io/v1', kind: 'Certificate' },
    expect: {
      atLeast: 1,
      // An hour: an ACME order takes minutes, and cert-manager begins a month before the end.
      every: [
        { condition: 'Ready', is: 'True' },
        { path: 'status.renewalTime', dueForSec: 3600 },
      ],
    },
    params: [],
    everySec: 60,
    next: 'kubectl get certificates,orders,challenges -A; kubectl describe certificate NAME',
    runbook: 'docs/runbooks/cert-manager.md',
  },
  'backups-recent': {
    title: '$sources volumes or more and $databases database clusters or more have a backup of the last 26 hours',
    all: [
      {
        object: { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationSource' },
        expect: {
          atLeast: '$sources',
          every: [
            { path: 'status.latestMoverStatus.result', in: ['Successful'] },
            { path: 'status.lastSyncTime', youngerThanSec: backupAgeSec },
          ],
        },
      },
      {
        object: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup' },
        expect: {
          atLeast: '$databases',
          where: [
            { path: 'status.phase', in: ['completed'] },
            { path: 'status.stoppedAt', youngerThanSec: backupAgeSec },
          ],
          every: [],
        },
      },
    ],
    params: ['sources', 'databases'],
    everySec: 60,
    next: 'k8sops backup status --problems',
    runbook: gatesRunbook,
  },
  'alerts-quiet': {
    title: 'no alert of severity critical or warning fires, and the Watchdog of the cluster does',
    probe: 'alerts-quiet',
    params: [],
    everySec: 15,
    next: 'k8sops alerts list',
    runbook: alertsRunbook,
  },
  'alerts-silenced': {
    title: 'Alertmanager holds the silence with the note $note',
    probe: 'alerts-silenced',
    params: ['note'],
    next: 'k8sops alerts list',
    runbook: alertsRunbook,
  },
  'silence-ended': {
    title: 'silence $id is no more',
    probe: 'silence-ended',
    params: ['id'],
    next: 'k8sops alerts list',
    runbook: alertsRunbook,
  },
} as const satisfies Record<string, Gate>
