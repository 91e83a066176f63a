module k8sops.tools/age

go 1.25.0

require filippo.io/age v1.3.2
