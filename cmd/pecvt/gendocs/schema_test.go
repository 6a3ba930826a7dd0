package main

import (
	"os"
	"testing"
)

// TestSchemaIsCurrent fails when docs/verify.schema.json is behind the types of
// package report or their comments.
func TestSchemaIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../../docs/verify.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := ReportSchema("../../../verify/report")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/verify.schema.json is behind the report's types: run make gen")
	}
}
