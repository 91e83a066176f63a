//go:build tools

// Package tools names the commands built from this module, so that `go mod` keeps their dependencies.
package tools

import _ "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"
