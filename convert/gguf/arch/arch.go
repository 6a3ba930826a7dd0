// Package arch says what a GGUF file's metadata and tensor names mean: a table of
// llama.cpp's architectures and the families of ours that they hold, with the
// names, the order of the rows and the configuration keys on both sides. [Open]
// reads a file as the store of its family.
//
// Sources: conversion/*.py and gguf-py/gguf/tensor_mapping.py of llama.cpp, which
// write these files, and src/models/*.cpp, which compute them (November 2026).
package arch

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Arch is an architecture as data.
type Arch struct {
	// Name is the value of general.architecture and the first part of the keys.
	Name string
	// Family is the model_type of config.json, Class its architectures.
	Family, Class string
	// Names pair the tensors.
	Names []Name
	// Keys pair the metadata with config.json's keys.
	Keys []Key
	// Fixed are keys of config.json that the architecture implies.
	Fixed map[string]any
	// Biases are keys of config.json that are true where a tensor is there.
	Biases []Bias
	// Base and Partial are config.json's keys of the rope base and of the share of
	// a head that turns; an empty Base means no rotation, an empty Partial that all
	// of a head must turn.
	Base, Partial string
	// FreqFactors: llama.cpp's graph divides each plane's frequency by
	// rope_freqs.weight. LongFactors: it divides them by rope_factors_long.weight
	// and rope_factors_short.weight. Elsewhere these tensors are not applied.
	FreqFactors, LongFactors bool
	// Adjust reads what the fields above cannot say; may be nil.
	Adjust func(r *reader)
}

// Name pairs a tensor of a GGUF file with the one that the family stores, both
// without ".weight" or ".bias"; "{i}" stands for the layer.
type Name struct {
	GGUF, Stored string
	Order        Order
}

// Bias is a key of config.json that says whether a tensor of the GGUF file is there.
type Bias struct{ Config, Tensor string }

// Table returns the architectures, in the order that documents list them.
func Table() []Arch {
	return []Arch{llama, qwen2, qwen3, phi3, smollm3, olmo2, stablelm, starcoder2, gptneox, bloom, mpt, falcon}
}

// Find looks an architecture up by general.architecture.
func Find(name string) (Arch, error) {
	var names []string
	for _, a := range Table() {
		if a.Name == name {
			return a, nil
		}
		names = append(names, a.Name)
	}
	return Arch{}, fmt.Errorf("architecture %q%s: %w; known are %s", name, posenc.Suggest(name, names), posenc.ErrUnsupported, strings.Join(names, ", "))
}

// OfFamily looks an architecture up by a family's model_type. Mistral is llama,
// as llama.cpp's converter has it: it computes no window.
func OfFamily(modelType string) (Arch, error) {
	if modelType == "mistral" {
		modelType = "llama"
	}
	for _, a := range Table() {
		if a.Family == modelType {
			return a, nil
		}
	}
	return Arch{}, fmt.Errorf("family %q has no architecture of GGUF: %w", modelType, posenc.ErrUnsupported)
}

// Stored gives the family's name of a GGUF file's tensor and the order of its
// rows; false where the architecture has no such tensor.
func (a Arch) Stored(name string) (string, Order, bool) {
	return a.translate(name, func(n Name) (string, string) { return n.GGUF, n.Stored })
}

// InGGUF gives the GGUF file's name of a family's tensor and the order of its
// rows; false where the architecture has no such tensor.
func (a Arch) InGGUF(name string) (string, Order, bool) {
	return a.translate(name, func(n Name) (string, string) { return n.Stored, n.GGUF })
}

func (a Arch) translate(name string, sides func(Name) (from, to string)) (string, Order, bool) {
	stem, suffix := name, ""
	for _, s := range []string{".weight", ".bias"} {
		if cut, ok := strings.CutSuffix(name, s); ok {
			stem, suffix = cut, s
		}
	}
	if suffix == "" {
		return "", AsIs, false
	}
	for _, n := range a.Names {
		from, to := sides(n)
		before, after, layered := strings.Cut(from, "{i}")
		if !layered {
			if from == stem {
				return to + suffix, n.Order, true
			}
			continue
		}
		layer, ok := strings.CutPrefix(stem, before)
		if !ok {
			continue
		}
		if layer, ok = strings.CutSuffix(layer, after); ok && isLayer(layer) {
			return strings.Replace(to, "{i}", layer, 1) + suffix, n.Order, true
		}
	}
	return "", AsIs, false
}

// isLayer tells whether a text is a layer's number as both formats write it.
func isLayer(s string) bool {
	if s == "" || len(s) > 6 || len(s) > 1 && s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}
