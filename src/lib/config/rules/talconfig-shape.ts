/**
 * The keys that talhelper knows, by the type they stand in. A name alone is a leaf or an open map; `key>Type` says what is
 * below the key (of each item, when it is a list). talhelper silently ignores every other key and calls the file "looking
 * great" (v3.1.16, reference talos.md 5.1). Facts from `talhelper genschema`; test/repo/talconfig-shape.test.ts compares
 * them with the pinned binary.
 */
const facts = `
TalhelperConfig: clusterName talosVersion kubernetesVersion endpoint domain allowSchedulingOnMasters
  allowSchedulingOnControlPlanes additionalMachineCertSans additionalApiServerCertSans
  inlineManifests>ClusterInlineManifest clusterPodNets clusterSvcNets cniConfig>CNIConfig patches nodes>Node
  imageFactory>ImageFactory controlPlane>NodeConfigs worker>NodeConfigs
ClusterInlineManifest: name contents skipEnvsubst
CNIConfig: name urls flannel>FlannelCNIConfig
FlannelCNIConfig: extraArgs kubeNetworkPoliciesEnabled
Node: hostname ipAddress controlPlane installDisk installDiskSelector>InstallDiskSelectorWrapper ignoreHostname
  overridePatches overrideExtraManifests overrideMachineCertSANs nodeLabels nodeAnnotations nodeTaints
  machineDisks>MachineDisk machineFiles>MachineFile disableSearchDomain kernelModules>KernelModuleConfig nameservers
  networkInterfaces>Device extraManifests certSANs patches talosImageURL noSchematicValidate
  schematic>SchematicWrapper imageSchematic>Schematic machineSpec>MachineSpec ingressFirewall>IngressFirewallWrapper
  extensionServices>ExtensionService volumes>Volume userVolumes>UserVolume filenameTmpl
InstallDiskSelectorWrapper: size name model serial modalias uuid wwid type busPath
MachineDisk: device partitions>DiskPartition
DiskPartition: size mountpoint
MachineFile: content permissions path op skipEnvsubst
KernelModuleConfig: name parameters
Device: interface deviceSelector>NetworkDeviceSelector addresses cidr routes>Route bond>Bond bridge>Bridge
  bridgePort>BridgePort vlans>Vlan mtu dhcp ignore dummy dhcpOptions>DHCPOptions wireguard>DeviceWireguardConfig
  vip>DeviceVIPConfig
NetworkDeviceSelector: busPath hardwareAddr permanentAddr pciID driver physical
Route: network gateway source metric mtu
Bond: interfaces deviceSelectors>NetworkDeviceSelector arpIPTarget mode xmitHashPolicy lacpRate adActorSystem
  arpValidate arpAllTargets primary primaryReselect failOverMac adSelect miimon updelay downdelay arpInterval
  resendIgmp minLinks lpInterval packetsPerSlave numPeerNotif tlbDynamicLb allSlavesActive useCarrier adActorSysPrio
  adUserPortKey peerNotifyDelay
Bridge: interfaces stp>STP vlan>BridgeVLAN
STP: enabled
BridgeVLAN: vlanFiltering
BridgePort: master
Vlan: addresses cidr routes>Route dhcp vlanId mtu vip>DeviceVIPConfig dhcpOptions>DHCPOptions
DeviceVIPConfig: ip equinixMetal>VIPEquinixMetalConfig hcloud>VIPHCloudConfig
VIPEquinixMetalConfig: apiToken
VIPHCloudConfig: apiToken
DHCPOptions: routeMetric ipv4 ipv6 duidv6
DeviceWireguardConfig: privateKey listenPort firewallMark peers>DeviceWireguardPeer
DeviceWireguardPeer: publicKey endpoint persistentKeepaliveInterval allowedIPs
SchematicWrapper: overlay>Overlay customization>CustomizationWrapper
Overlay: image name options
CustomizationWrapper: extraKernelArgs meta>MetaValue systemExtensions>SystemExtensions bootloader
  secureboot>SecureBootCustomization
MetaValue: key value
SystemExtensions: officialExtensions
SecureBootCustomization: enrollKeys includeWellKnownCertificates
Schematic: owner overlay>Overlay customization>Customization
Customization: embeddedMachineConfiguration extraKernelArgs meta>MetaValue systemExtensions>SystemExtensions
  bootloader secureboot>SecureBootCustomization diskImage>DiskImageCustomization
DiskImageCustomization: sectorSize
MachineSpec: mode arch secureboot useUKI bootMethod imageSuffix
IngressFirewallWrapper: defaultAction rules>NetworkRuleWrapper
NetworkRuleWrapper: name portSelector>PortSelectorWrapper ingress>IngressConfigWrapper
PortSelectorWrapper: ports protocol
IngressConfigWrapper: subnet except
ExtensionService: name configFiles>ConfigFile environment
ConfigFile: content mountPath
Volume: name provisioning>ProvisioningSpecWrapper encryption>EncryptionSpec
ProvisioningSpecWrapper: diskSelector>DiskSelectorWrapper grow minSize maxSize
DiskSelectorWrapper: match
EncryptionSpec: provider keys>EncryptionKey cipher keySize blockSize options allowDiscards
EncryptionKey: slot static>EncryptionKeyStatic nodeID>EncryptionKeyNodeID kms>EncryptionKeyKMS tpm>EncryptionKeyTPM
  lockToState
EncryptionKeyStatic: passphrase
EncryptionKeyNodeID:
EncryptionKeyKMS: endpoint
EncryptionKeyTPM: options>EncryptionKeyTPMOptions checkSecurebootStatusOnEnroll
EncryptionKeyTPMOptions: pcrs
UserVolume: name volumeType provisioning>ProvisioningSpecWrapper filesystem>FilesystemSpecWrapper
  encryption>EncryptionSpec
FilesystemSpecWrapper: type
ImageFactory: registryURL schematicEndpoint protocol installerURLTmpl ISOURLTmpl
NodeConfigs: nodeLabels nodeAnnotations nodeTaints machineDisks>MachineDisk machineFiles>MachineFile
  disableSearchDomain kernelModules>KernelModuleConfig nameservers networkInterfaces>Device extraManifests certSANs
  patches talosImageURL noSchematicValidate schematic>SchematicWrapper imageSchematic>Schematic
  machineSpec>MachineSpec ingressFirewall>IngressFirewallWrapper extensionServices>ExtensionService volumes>Volume
  userVolumes>UserVolume filenameTmpl
`

/** Type name -> key -> type of what is below, or '' for a leaf. */
export const talconfigShape: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  facts
    .trim()
    .split(/\n(?! )/)
    .map((line) => {
      const [type = '', keys = ''] = line.split(':')
      const entries = keys
        .trim()
        .split(/\s+/)
        .filter(Boolean)
        .map((key): [string, string] => {
          const [name = '', below = ''] = key.split('>')
          return [name, below]
        })
      return [type, new Map(entries)]
    }),
)

export const talconfigRoot = 'TalhelperConfig'
