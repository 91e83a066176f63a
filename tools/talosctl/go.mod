module k8sops.tools/talosctl

go 1.25.3

require github.com/siderolabs/talos v1.12.0

replace (
	cloud.google.com/go => cloud.google.com/go v0.100.2
	github.com/mdlayher/ethtool => github.com/siderolabs/ethtool v0.4.0-sidero
	github.com/mdlayher/kobject => github.com/smira/kobject v0.0.0-20240304111826-49c8d4613389
)
