/** COSI resource types that a simulated machine shows: names, namespaces, aliases and columns are Talos's (v1.12.0). */

export interface ResourceDefinition {
  type: string
  namespace: string
  /** Besides the ones that COSI derives from the type's name. */
  aliases?: string[]
  /** Column title and JSON path. */
  columns: [string, string][]
  sensitive?: boolean
}

export const definitionType = 'ResourceDefinitions.meta.cosi.dev'

export const resourceDefinitions: ResourceDefinition[] = [
  { type: definitionType, namespace: 'meta', aliases: ['api-resources'], columns: [['Aliases', '{.aliases[:]}']] },
  {
    type: 'MachineStatuses.runtime.talos.dev',
    namespace: 'runtime',
    columns: [
      ['Stage', '{.stage}'],
      ['Ready', '{.status.ready}'],
    ],
  },
  { type: 'Versions.runtime.talos.dev', namespace: 'runtime', columns: [['Version', '{.version}']] },
  {
    type: 'ExtensionStatuses.runtime.talos.dev',
    namespace: 'runtime',
    aliases: ['extensions'],
    columns: [
      ['Name', '{.metadata.name}'],
      ['Version', '{.metadata.version}'],
    ],
  },
  {
    type: 'KernelCmdlines.runtime.talos.dev',
    namespace: 'runtime',
    aliases: ['cmdline'],
    columns: [['Cmdline', '{.cmdline}']],
  },
  { type: 'Diagnostics.runtime.talos.dev', namespace: 'runtime', columns: [['Message', '{.message}']] },
  {
    type: 'SecurityStates.talos.dev',
    namespace: 'runtime',
    columns: [
      ['SecureBoot', '{.secureBoot}'],
      ['UKISigningKeyFingerprint', '{.ukiSigningKeyFingerprint}'],
      ['PCRSigningKeyFingerprint', '{.pcrSigningKeyFingerprint}'],
    ],
  },
  { type: 'TimeStatuses.v1alpha1.talos.dev', namespace: 'runtime', columns: [['Synced', '{.synced}']] },
  {
    type: 'Services.v1alpha1.talos.dev',
    namespace: 'runtime',
    aliases: ['svc'],
    columns: [
      ['Running', '{.running}'],
      ['Healthy', '{.healthy}'],
      ['Health Unknown', '{.unknown}'],
    ],
  },
  {
    type: 'Members.cluster.talos.dev',
    namespace: 'cluster',
    columns: [
      ['Hostname', '{.hostname}'],
      ['Machine Type', '{.machineType}'],
      ['OS', '{.operatingSystem}'],
      ['Addresses', '{.addresses}'],
    ],
  },
  {
    type: 'Disks.block.talos.dev',
    namespace: 'runtime',
    columns: [
      ['Size', '{.pretty_size}'],
      ['Read Only', '{.readonly}'],
      ['Transport', '{.transport}'],
      ['Rotational', '{.rotational}'],
      ['WWID', '{.wwid}'],
      ['Model', '{.model}'],
      ['Serial', '{.serial}'],
    ],
  },
  {
    type: 'DiscoveredVolumes.block.talos.dev',
    namespace: 'runtime',
    columns: [
      ['Type', '{.type}'],
      ['Size', '{.pretty_size}'],
      ['Discovered', '{.name}'],
      ['Label', '{.label}'],
      ['PartitionLabel', '{.partition_label}'],
    ],
  },
  { type: 'SystemDisks.block.talos.dev', namespace: 'runtime', columns: [['Disk', '{.diskID}']] },
  {
    type: 'VolumeStatuses.block.talos.dev',
    namespace: 'runtime',
    columns: [
      ['Type', '{.type}'],
      ['Phase', '{.phase}'],
      ['Location', '{.location}'],
      ['Size', '{.prettySize}'],
    ],
  },
  {
    type: 'LinkStatuses.net.talos.dev',
    namespace: 'network',
    aliases: ['link', 'links'],
    columns: [
      ['Alias', '{.alias}'],
      ['Type', '{.type}'],
      ['Kind', '{.kind}'],
      ['Hw Addr', '{.hardwareAddr}'],
      ['Oper State', '{.operationalState}'],
      ['Link State', '{.linkState}'],
    ],
  },
  {
    type: 'AddressStatuses.net.talos.dev',
    namespace: 'network',
    aliases: ['address', 'addresses'],
    columns: [
      ['Address', '{.address}'],
      ['Link', '{.linkName}'],
    ],
  },
  {
    type: 'HostnameStatuses.net.talos.dev',
    namespace: 'network',
    aliases: ['hostname'],
    columns: [
      ['Hostname', '{.hostname}'],
      ['Domainname', '{.domainname}'],
    ],
  },
  {
    type: 'NetworkStatuses.net.talos.dev',
    namespace: 'network',
    aliases: ['netstatus', 'netstatuses'],
    columns: [
      ['Address', '{.addressReady}'],
      ['Connectivity', '{.connectivityReady}'],
      ['Hostname', '{.hostnameReady}'],
      ['Etc', '{.etcFilesReady}'],
    ],
  },
  { type: 'Nodenames.kubernetes.talos.dev', namespace: 'k8s', columns: [['Nodename', '{.nodename}']] },
  {
    type: 'NodeStatuses.kubernetes.talos.dev',
    namespace: 'k8s',
    columns: [
      ['Ready', '{.nodeReady}'],
      ['Unschedulable', '{.unschedulable}'],
    ],
  },
  { type: 'StaticPods.kubernetes.talos.dev', namespace: 'k8s', columns: [] },
  { type: 'KubeletSpecs.kubernetes.talos.dev', namespace: 'k8s', columns: [] },
  { type: 'APIServerConfigs.kubernetes.talos.dev', namespace: 'controlplane', columns: [] },
  { type: 'ControllerManagerConfigs.kubernetes.talos.dev', namespace: 'controlplane', columns: [] },
  { type: 'SchedulerConfigs.kubernetes.talos.dev', namespace: 'controlplane', columns: [] },
  { type: 'Manifests.kubernetes.talos.dev', namespace: 'controlplane', columns: [] },
  { type: 'EtcdMembers.etcd.talos.dev', namespace: 'etcd', columns: [['Member ID', '{.memberID}']] },
  { type: 'MachineConfigs.config.talos.dev', namespace: 'config', columns: [], sensitive: true },
  { type: 'MachineTypes.config.talos.dev', namespace: 'config', columns: [['Type', '{@}']] },
]

/** Namespaces of the types above. */
export const namespaces = new Set(resourceDefinitions.map((definition) => definition.namespace))

/** What COSI derives from a type's name (meta/spec/resource_definition.go, Fill). */
export function fillDefinition(definition: ResourceDefinition): {
  displayType: string
  aliases: string[]
  allAliases: string[]
} {
  const [name = '', ...suffix] = definition.type.split('.')
  const displayType = singular(name)
  const aliases = [...(definition.aliases ?? []), displayType.toLowerCase()]
  const allAliases = [name.toLowerCase()]
  for (let count = 1; count < suffix.length; count++)
    allAliases.push([name.toLowerCase(), ...suffix.slice(0, count)].join('.'))
  const capitals = name.replace(/[^A-Z]/g, '')
  if (capitals.length > 1) {
    aliases.push(capitals.toLowerCase())
    if (!capitals.endsWith('S')) aliases.push(`${capitals.toLowerCase()}s`)
  }
  return { displayType, aliases, allAliases: [...allAliases, ...aliases] }
}

/** The types above end in -ses, -xes or -s. */
function singular(name: string): string {
  return /(ss|us|sh|ch|x)es$/.test(name) ? name.slice(0, -2) : name.replace(/s$/, '')
}
