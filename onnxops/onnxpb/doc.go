// Package onnxpb holds the ONNX messages that pecvt writes and reads,
// generated from onnx.proto: the fields and numbers of the ONNX format, under a
// protobuf package of its own.
//
// To generate the code again: protoc 3.21 or later on the path, and
// protoc-gen-go of the google.golang.org/protobuf version in go.mod.
package onnxpb

//go:generate protoc -I ../.. --go_out=../.. --go_opt=paths=source_relative onnxops/onnxpb/onnx.proto
