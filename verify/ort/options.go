package ort

import (
	"fmt"
	"slices"
	"strings"
)

// Execution providers a session can run on.
const (
	ProviderCPU  = "cpu"
	ProviderCUDA = "cuda"
)

// Levels of graph optimization. A fusion can change what a graph computes, so a
// verification compares at least "disabled" and "all".
const (
	OptDisabled = "disabled"
	OptBasic    = "basic"    // redundant nodes, constants
	OptExtended = "extended" // fusions into com.microsoft operators
	OptAll      = "all"      // layouts too
)

// Providers lists the values of Options.Provider.
func Providers() []string { return []string{ProviderCPU, ProviderCUDA} }

// OptLevels lists the values of Options.OptLevel, the weakest first.
func OptLevels() []string { return []string{OptDisabled, OptBasic, OptExtended, OptAll} }

// Options of a session. The zero value is the CPU provider at the full
// optimization level, the runtime's choice of threads, and no profile.
type Options struct {
	Provider string // one of Providers; "" is "cpu"
	Device   int    // the CUDA device
	OptLevel string // one of OptLevels; "" is "all"
	Threads  int    // of one node's computation; 0 leaves it to the runtime, one per physical core
	// OpsLibrary is a shared library of kernels for operators of a domain of their
	// own, as `make ops` builds it; "" is none. A kernel takes the place of a
	// function of the model that has its domain and name.
	OpsLibrary string
	ProfileDir string // write a profile here when the session is closed; "" writes none
}

// normal fills the defaults in and checks the rest.
func (o Options) normal() (Options, error) {
	if o.Provider == "" {
		o.Provider = ProviderCPU
	}
	if o.OptLevel == "" {
		o.OptLevel = OptAll
	}
	switch {
	case !slices.Contains(Providers(), o.Provider):
		return o, fmt.Errorf("ort: unknown provider %q: known are %s", o.Provider, strings.Join(Providers(), ", "))
	case !slices.Contains(OptLevels(), o.OptLevel):
		return o, fmt.Errorf("ort: unknown optimization level %q: known are %s", o.OptLevel, strings.Join(OptLevels(), ", "))
	case o.Threads < 0:
		return o, fmt.Errorf("ort: %d threads: give 1 or more, or 0 for the runtime's choice", o.Threads)
	case o.Device < 0:
		return o, fmt.Errorf("ort: device %d: devices count from 0", o.Device)
	}
	return o, nil
}
