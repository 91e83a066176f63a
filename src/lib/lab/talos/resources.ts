/** What the machine's COSI state holds, made from the machine as it is. Hardware facts are the lab's, not a real machine's. */
import { basename } from 'node:path'
import { stringify } from 'yaml'
import { discoveredVolumes } from './discovered-volumes.ts'
import { clusterMembers } from './fleet.ts'
import { chooseDisk } from './install-disk.ts'
import { kubernetesResources } from './kubernetes-resources.ts'
import { fillDefinition, resourceDefinitions } from './resource-definitions.ts'
import type { Resource } from './resource-store.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

/**
 * @param etcdMemberId 16 hex digits, once this machine's member is known
 */
export function machineResources(machine: SimulatedMachine, etcdMemberId: string | undefined): Resource[] {
  return [
    ...definitions,
    ...runtimeResources(machine),
    ...hardwareResources(machine),
    ...networkResources(machine),
    ...clusterResources(machine, etcdMemberId),
  ]
}

const namespaceOf = new Map(resourceDefinitions.map((definition) => [definition.type, definition.namespace]))

function resource(type: string, id: string, spec: unknown): Resource {
  return { namespace: namespaceOf.get(type) ?? '', type, id, yaml: stringify(spec, { lineWidth: 0 }) }
}

const definitions: Resource[] = resourceDefinitions.map((definition) => {
  const { displayType, aliases, allAliases } = fillDefinition(definition)
  return {
    namespace: 'meta',
    type: 'ResourceDefinitions.meta.cosi.dev',
    id: definition.type.toLowerCase(),
    yaml: stringify({
      type: definition.type,
      displayType,
      defaultNamespace: definition.namespace,
      aliases,
      allAliases,
      printColumns: definition.columns.map(([name, jsonPath]) => ({ name, jsonPath })),
      ...(definition.sensitive ? { sensitivity: 'sensitive' } : {}),
    }),
  }
})

function runtimeResources(machine: SimulatedMachine): Resource[] {
  const { record } = machine
  const status = machine.status()
  return [
    resource('MachineStatuses.runtime.talos.dev', 'machine', {
      stage: status.stage,
      status: { ready: status.ready, unmetConditions: status.unmetConditions },
    }),
    resource('Versions.runtime.talos.dev', 'version', { version: record.running.version }),
    resource('TimeStatuses.v1alpha1.talos.dev', 'node', {
      synced: machine.timeSynced(),
      epoch: 0,
      syncDisabled: false,
    }),
    resource('SecurityStates.talos.dev', 'securitystate', { secureBoot: false, bootedWithUKI: true }),
    resource('KernelCmdlines.runtime.talos.dev', 'cmdline', {
      cmdline: 'talos.platform=metal console=tty0 init_on_alloc=1 slab_nomerge pti=on consoleblank=0',
    }),
    ...extensionResources(machine),
    // Talos tears the resource of a service down when it stops (v1alpha1/service.go).
    ...machine.services
      .list()
      .filter(({ state }) => state !== 'Finished')
      .map((service) =>
        resource('Services.v1alpha1.talos.dev', service.id, {
          running: service.state === 'Running',
          healthy: service.healthy,
          unknown: service.unknown,
        }),
      ),
    ...configResources(machine),
  ]
}

/** The factory adds an extension named `schematic` whose version is the schematic's id. */
function extensionResources(machine: SimulatedMachine): Resource[] {
  const { schematic, extensions, version } = machine.record.running
  const layer = (name: string, layerVersion: string, image: string) =>
    resource('ExtensionStatuses.runtime.talos.dev', image.replace(/\.sqsh$/, ''), {
      image,
      metadata: {
        name,
        version: layerVersion,
        author: 'Image Factory',
        description: `${name} of a simulated machine.`,
        compatibility: { talos: { version: '>= v1.0.0' } },
      },
    })
  const official = extensions.map((extension, index) => {
    const name = extension.split('/').pop() ?? extension
    return layer(name, version, `${String(index).padStart(3, '0')}.ghcr.io-siderolabs-${name}.sqsh`)
  })
  if (schematic === '') return official
  return [...official, layer('schematic', schematic, `${String(extensions.length).padStart(3, '0')}.schematic.sqsh`)]
}

function configResources(machine: SimulatedMachine): Resource[] {
  const { activeConfig, persistedConfig } = machine.record
  const config = machine.machine.config
  return [
    ...(activeConfig === undefined ? [] : [resource('MachineConfigs.config.talos.dev', 'v1alpha1', activeConfig)]),
    ...(persistedConfig === undefined
      ? []
      : [resource('MachineConfigs.config.talos.dev', 'persistent', persistedConfig)]),
    ...(config ? [resource('MachineTypes.config.talos.dev', 'machine-type', config.role)] : []),
  ]
}

function hardwareResources(machine: SimulatedMachine): Resource[] {
  const { disk } = machine.record
  return [
    ...machine.spec.disks.map((candidate) =>
      resource('Disks.block.talos.dev', basename(candidate.path), {
        dev_path: candidate.path,
        size: candidate.size,
        pretty_size: prettySize(candidate.size),
        io_size: 512,
        sector_size: 512,
        readonly: false,
        cdrom: false,
        model: candidate.model,
        serial: candidate.serial,
        sub_system: '/sys/class/block',
        transport: candidate.transport,
      }),
    ),
    ...discoveredVolumes(machine).map(({ device, ...spec }) =>
      resource('DiscoveredVolumes.block.talos.dev', device, spec),
    ),
    ...(disk
      ? [
          resource('SystemDisks.block.talos.dev', 'system-disk', {
            diskID: basename(disk.device),
            devPath: disk.device,
          }),
        ]
      : []),
    ...(disk
      ? [
          ['META', 4],
          ['STATE', 5],
          ['EPHEMERAL', 6],
        ].map(([label, partition]) =>
          resource('VolumeStatuses.block.talos.dev', String(label), {
            phase: 'ready',
            type: 'partition',
            location: `${disk.device}${/\d$/.test(disk.device) ? 'p' : ''}${partition}`,
            parentLocation: disk.device,
          }),
        )
      : []),
  ]
}

function networkResources(machine: SimulatedMachine): Resource[] {
  const { spec } = machine
  const hostname = machine.machine.config?.hostname
  return [
    ...spec.links.map((link, index) =>
      resource('LinkStatuses.net.talos.dev', link.name, {
        index: index + 2,
        type: 'ether',
        linkIndex: 0,
        flags: 'UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP',
        hardwareAddr: link.hardwareAddress,
        permanentAddr: link.hardwareAddress,
        broadcastAddr: 'ff:ff:ff:ff:ff:ff',
        mtu: 1500,
        queueDisc: 'mq',
        operationalState: 'up',
        kind: '',
        slaveKind: '',
        driver: link.driver,
        linkState: true,
        port: 'Other',
        duplex: 'Full',
      }),
    ),
    resource('AddressStatuses.net.talos.dev', `${spec.links[0]?.name ?? 'eth0'}/${spec.address}/24`, {
      address: `${spec.address}/24`,
      local: spec.address,
      linkName: spec.links[0]?.name ?? 'eth0',
      family: 'inet4',
      scope: 'global',
      flags: 'permanent',
    }),
    resource('NetworkStatuses.net.talos.dev', 'status', {
      addressReady: true,
      connectivityReady: true,
      hostnameReady: true,
      etcFilesReady: true,
    }),
    resource('HostnameStatuses.net.talos.dev', 'hostname', { hostname: hostname ?? 'talos', domainname: '' }),
  ]
}

function clusterResources(machine: SimulatedMachine, etcdMemberId: string | undefined): Resource[] {
  const config = machine.machine.config
  if (!config) return []
  const facts = machine.fleet.nodes.facts(config.hostname)
  return [
    ...clusterMembers(machine).map(memberResource),
    resource('Nodenames.kubernetes.talos.dev', 'nodename', {
      nodename: config.hostname,
      hostnameVersion: '1',
      skipNodeRegistration: false,
    }),
    ...(facts
      ? [
          resource('NodeStatuses.kubernetes.talos.dev', config.hostname, {
            nodename: config.hostname,
            nodeReady: facts.ready,
            unschedulable: facts.unschedulable,
            labels: facts.labels,
            annotations: facts.annotations,
          }),
        ]
      : []),
    ...(etcdMemberId === undefined
      ? []
      : [resource('EtcdMembers.etcd.talos.dev', 'local', { memberID: etcdMemberId })]),
    ...kubernetesResources(config),
  ]
}

function memberResource(member: SimulatedMachine): Resource {
  const config = member.machine.config
  const hostname = config?.hostname ?? member.spec.address
  return resource('Members.cluster.talos.dev', hostname, {
    nodeId: `${hostname}-${member.spec.address}`,
    addresses: [member.spec.address],
    hostname,
    machineType: config?.role,
    operatingSystem: `Talos (${member.record.running.version})`,
    ...(config?.role === 'controlplane' ? { controlPlane: { port: 6443 } } : {}),
  })
}

/** go-humanize's Bytes: three digits at most, decimal units. */
export function prettySize(bytes: number): string {
  if (bytes < 10) return `${bytes} B`
  const exponent = Math.min(Math.floor(Math.log10(bytes) / 3), 6)
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'][exponent]}`
}

/** Where the machine's system goes; its boot disk when the config's choice can't be told. */
export function systemDiskOf(machine: SimulatedMachine): ReturnType<typeof chooseDisk> {
  return chooseDisk(machine.machine.config?.document ?? {}, machine.spec.disks)
}
