/** The operators that a lab lacks, played by small reconcilers, and the faults that live where they would be. */
import { openClusterView } from '../kube/cluster-view.ts'
import type { Lab, Part } from '../types.ts'
import { startApicurio } from './apicurio.ts'
import { followBlockedDrain } from './blocked-drain.ts'
import { startCeph } from './ceph.ts'
import { startCephJobs } from './ceph-jobs.ts'
import { startCertManager } from './cert-manager.ts'
import { startCiliumOperator } from './cilium.ts'
import { startCnpg } from './cnpg.ts'
import { startDragonfly } from './dragonfly.ts'
import { startEnvoyGateway } from './envoy-gateway.ts'
import { startExternalSecrets } from './external-secrets.ts'
import { followForeignLock } from './foreign-lock.ts'
import { startKeycloak } from './keycloak.ts'
import { followNeverReady } from './never-ready.ts'
import { startNotificationController } from './notification-controller.ts'
import { startOpenbao } from './openbao.ts'
import { followOtherUpgrader } from './other-upgrader.ts'
import { startReloader } from './reloader.ts'
import { startStrimzi } from './strimzi.ts'
import { startStrimziEntities } from './strimzi-entities.ts'
import { startVictoriaMetrics } from './victoria-metrics.ts'
import { startVolsync } from './volsync.ts'
import { startLocalProvisioner, startRbdDriver } from './volumes.ts'
import { followWebhookTimeout } from './webhook-timeout.ts'

export async function startOperators(lab: Lab): Promise<Part> {
  const { view, close } = openClusterView(lab)
  const operators = [
    startCertManager,
    startExternalSecrets,
    startReloader,
    startCiliumOperator,
    startEnvoyGateway,
    startNotificationController,
    startCeph,
    startCephJobs,
    startRbdDriver,
    startLocalProvisioner,
    startCnpg,
    startDragonfly,
    startVolsync,
    startStrimzi,
    startStrimziEntities,
    startVictoriaMetrics,
    startKeycloak,
    startApicurio,
    startOpenbao,
  ].map((start) => start(lab, view))
  const faults = [followWebhookTimeout, followNeverReady, followBlockedDrain, followOtherUpgrader, followForeignLock]
  const endings = faults.map((follow) => follow(lab, view))
  return {
    name: 'operators',
    status: () => ({
      ...Object.fromEntries(operators.map((operator) => [operator.name, operator.status()])),
      simulated:
        "cert-manager (certificates of the lab's own authority, no ACME server is asked), External Secrets (the values that the lab's op reads), Reloader (restarts what uses a changed Secret of theirs), Cilium's operator (CRDs, CiliumNodes, addresses for Services of type LoadBalancer; no datapath, no BGP session), Envoy Gateway (proxies as pods, Services, conditions of gateways, routes and policies; no traffic), notification-controller (a Receiver's path), Rook (monitors, OSDs, their budgets and the CSI controller as pods, health from the pods and nodes; no data), Ceph's own answers to the Jobs of ceph osd remove and ceph expand (who is out, how far data would have moved, Rook's purge of an OSD; no data moves, no script runs), the RBD and node-local drivers (claims bound, VolumeAttachments of the real attach-detach controller answered), CloudNativePG (instances, budgets, switchover, first backups, which archive a recovery reads and writes; no PostgreSQL, no plugin, no data), Dragonfly (instances and which is the master; no data), VolSync (first and manual synchronisations, which snapshots there are and which one a restore takes; no mover pod, no schedule, no data), Strimzi (brokers and controllers as pods, Services, Secrets of users; no Kafka), Keycloak's and Apicurio's operators (pods, Services, a realm import's Job; no server), OpenBao (the labels of its pods; no server), VictoriaMetrics (what its operator makes, as pods with volumes, and statuses; nothing is scraped, stored or sent, monitors are not converted): each works while its pod runs. No admission webhook is registered but by the fault webhook-timeout",
    }),
    async stop() {
      for (const end of endings) end()
      for (const operator of operators) operator.stop()
      close()
    },
  }
}
