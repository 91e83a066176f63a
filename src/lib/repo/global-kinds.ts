/** Kinds that are in no namespace, of Kubernetes and of what runs here. */
const globalKinds =
  /^(Namespace|Node|PersistentVolume|ClusterRole|ClusterRoleBinding|CustomResourceDefinition|APIService|PriorityClass|RuntimeClass|StorageClass|IngressClass|GatewayClass|CSIDriver|VolumeSnapshotClass|(Validating|Mutating)(WebhookConfiguration|AdmissionPolicy|AdmissionPolicyBinding)|ClusterIssuer|ClusterSecretStore|ClusterExternalSecret|ClusterPushSecret|CiliumClusterwideNetworkPolicy|CiliumClusterwideEnvoyConfig|CiliumCIDRGroup|CiliumEgressGatewayPolicy|CiliumLoadBalancerIPPool|CiliumL2AnnouncementPolicy|CiliumPodIPPool|CiliumBGP\w+)$/
export const isGlobal = (kind: string) => globalKinds.test(kind)
