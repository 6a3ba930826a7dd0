package main

import (
	"os"
	"testing"
)

// TestReadmeIsCurrent fails when README.md's tables are behind the registries.
func TestReadmeIsCurrent(t *testing.T) {
	doc, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Fill(string(doc))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(doc) {
		t.Error("README.md is behind the registries: run make gen")
	}
}

func TestFillRefuses(t *testing.T) {
	if _, err := Fill("no markers"); err == nil {
		t.Error("a document without markers is no error")
	}
}
