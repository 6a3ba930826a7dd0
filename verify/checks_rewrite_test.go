package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify"
)

// TestRewriteCheck: the conversion is judged from its source and its manifest.
// Package mutants plants its faults.
func TestRewriteCheck(t *testing.T) {
	for _, tt := range []struct {
		name    string
		in      conversion
		against string
		damage  func(t *testing.T, dir string)
		verdict verify.Verdict
		detail  string
	}{
		{name: "rows moved", in: conversion{model: "golden/llama-gqa", to: "hope", layout: "partial"}, verdict: verify.Pass},
		{name: "planes removed", in: conversion{model: "golden/llama-gqa", to: "hope-ab3"}, verdict: verify.Pass},
		{name: "frequencies as tensors", in: conversion{model: "golden/phi3", to: "grape-m"}, verdict: verify.Pass},
		{name: "a bias as gates", in: conversion{model: "golden/bloom-6heads", to: "fox"}, verdict: verify.Pass},
		{name: "no manifest", in: conversion{model: "golden/llama-gqa", to: "hope"}, verdict: verify.Skipped, detail: "no pecvt.json",
			damage: func(t *testing.T, dir string) {
				if err := os.Remove(filepath.Join(dir, "pecvt.json")); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "another source", in: conversion{model: "golden/llama-gqa", to: "hope"}, against: filepath.Join(fixtures, "golden/qwen2"), verdict: verify.Incomplete, detail: "not the source that pecvt.json names (llama-gqa)"},
		{name: "no JSON", in: conversion{model: "golden/llama-gqa", to: "hope"}, verdict: verify.Fail, detail: "pecvt.json is no manifest",
			damage: func(t *testing.T, dir string) {
				if err := os.WriteFile(filepath.Join(dir, "pecvt.json"), []byte(`{"a":`), 0o666); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a frequency", in: conversion{model: "golden/llama-gqa", to: "rope"}, verdict: verify.Fail, detail: "layer 0, key/value head 0: plane 1 turns by",
			damage: func(t *testing.T, dir string) {
				replaceIn(t, filepath.Join(dir, "config.json"), `"rope_theta": 300.0`, `"rope_theta": 300.1`)
			}},
		{name: "a weight", in: conversion{model: "golden/llama-gqa", to: "rope"}, verdict: verify.Fail, detail: `layer 1: the values' projection (tensor "model.layers.1.self_attn.v_proj.weight")`,
			damage: func(t *testing.T, dir string) {
				swapData(t, filepath.Join(dir, "model.safetensors"), "model.layers.1.self_attn.k_proj.weight", "model.layers.1.self_attn.v_proj.weight")
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tt.in.write(t)
			if tt.damage != nil {
				tt.damage(t, dir)
			}
			if tt.against == "" {
				tt.against = filepath.Join(fixtures, tt.in.model)
			}
			c, ok := find(verified(t, dir, verify.Options{Against: tt.against, ORTLibrary: noLibrary}), "rewrite", "ref")
			if !ok || c.Verdict != tt.verdict || !strings.Contains(c.Detail, tt.detail) {
				t.Errorf("rewrite: %s %q, want %s and %q", c.Verdict, c.Detail, tt.verdict, tt.detail)
			}
			if tt.verdict == verify.Pass && !(c.MaxRel <= c.Limit && c.Positions > 0) {
				t.Errorf("off by %v over %d positions", c.MaxRel, c.Positions)
			}
		})
	}
}
