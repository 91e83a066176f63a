/** Every rule, by family. Ids are stable: they stand in waivers, in SARIF and in the fixtures of test/fixtures/rules. */
import { accessRules } from './access.ts'
import { addressRules } from './addresses.ts'
import { admissionRules } from './admission.ts'
import { alertRules } from './alerts.ts'
import { bgpRules } from './bgp.ts'
import { certificateRules } from './certificates.ts'
import { chartRules } from './charts.ts'
import { databaseRules } from './databases.ts'
import { demandedRules } from './demanded.ts'
import { dependencyRules } from './dependencies.ts'
import { embeddedRules } from './embedded.ts'
import { factRules } from './facts.ts'
import { flowRules } from './flows.ts'
import { formatRules } from './formats.ts'
import { machineRules } from './machines.ts'
import { monitorRules } from './monitors.ts'
import { nameRules } from './names.ts'
import { notificationRules } from './notifications.ts'
import { numberRules } from './numbers.ts'
import { pinRules } from './pins.ts'
import { podRules } from './pods.ts'
import { policyRules } from './policies.ts'
import { quotaRules } from './quotas.ts'
import { realmRules } from './realms.ts'
import { referenceRules } from './references.ts'
import { replicaRules } from './replicas.ts'
import { roleRules } from './roles.ts'
import { routeRules } from './routes.ts'
import type { Rule } from './rule.ts'
import { schemaRules } from './schemas.ts'
import { secretRules } from './secrets.ts'
import { selectedRules } from './selected.ts'
import { selectorRules } from './selectors.ts'
import { storageRules } from './storage.ts'
import { structureRules } from './structure.ts'
import { takenRules } from './taken.ts'
import { talosRules } from './talos.ts'
import { userRules } from './users.ts'
import { valueRules } from './values.ts'
import { variableRules } from './variables.ts'
import { workloadRules } from './workloads.ts'

export const families: Record<string, readonly Rule[]> = {
  structure: structureRules,
  names: nameRules,
  facts: factRules,
  talos: talosRules,
  machines: machineRules,
  references: referenceRules,
  addresses: addressRules,
  taken: takenRules,
  pods: podRules,
  workloads: workloadRules,
  replicas: replicaRules,
  dependencies: dependencyRules,
  variables: variableRules,
  schemas: schemaRules,
  pins: pinRules,
  secrets: secretRules,
  policies: policyRules,
  flows: flowRules,
  selectors: selectorRules,
  selected: selectedRules,
  access: accessRules,
  roles: roleRules,
  admission: admissionRules,
  quotas: quotaRules,
  charts: chartRules,
  values: valueRules,
  demanded: demandedRules,
  routes: routeRules,
  certificates: certificateRules,
  bgp: bgpRules,
  users: userRules,
  notifications: notificationRules,
  monitors: monitorRules,
  alerts: alertRules,
  embedded: embeddedRules,
  formats: formatRules,
  storage: storageRules,
  databases: databaseRules,
  realms: realmRules,
  numbers: numberRules,
}

export const rules: readonly Rule[] = Object.values(families).flat()

/** The rule of that id, or undefined. */
export const ruleNamed = (id: string): Rule | undefined => rules.find((rule) => rule.id === id)
