module k8sops.tools/talhelper

go 1.26.5

require github.com/budimanjojo/talhelper/v3 v3.1.16
