// The CustomResourceDefinitions of Flux 2.9.5, taken from config/crd/bases of each controller's module. They are
// downloaded, not compiled. notification-controller v1.9.4 (what Flux 2.9.5 ships) is not on the Go module proxy.
module k8sops.tools/flux-crds

go 1.26.0

require (
	github.com/fluxcd/helm-controller v1.6.4
	github.com/fluxcd/kustomize-controller v1.9.5
	github.com/fluxcd/notification-controller v1.9.3
	github.com/fluxcd/source-controller v1.9.5
)
