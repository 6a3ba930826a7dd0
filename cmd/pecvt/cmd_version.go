package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/verify"
)

// version is set by the Makefile through -ldflags.
var version = "dev"

// toolVersion is the version that manifests carry.
func toolVersion() string {
	if version != "dev" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version, and which BLAS multiplies matrices",
		Example: `  pecvt version
  pecvt version --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return printJSON(cmd, map[string]string{"version": toolVersion(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "blas": verify.BLAS()})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "pecvt %s (%s, %s/%s, BLAS %s)\n", toolVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, verify.BLAS())
			return err
		},
	}
}
