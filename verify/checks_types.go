package verify

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// spelled are the types that graphs compute in as their metadata has them.
var spelled = map[onnxpb.TensorProto_DataType]string{
	onnxpb.TensorProto_FLOAT: "", onnxpb.TensorProto_FLOAT16: "float16", onnxpb.TensorProto_BFLOAT16: "bfloat16",
}

// half tells whether the graph computes in 16 bits, or says so.
func (s *session) half() bool {
	return s.computes != onnxpb.TensorProto_FLOAT || s.info.DType != ""
}

// types is the check of what a graph in float32 has no counterpart of: the types of one
// that computes in 16 bits.
func (s *session) types() error {
	c := report.Check{Name: report.CheckTypes, Runner: run.InterpName, Against: "metadata", Verdict: report.Pass}
	switch is := spelled[s.computes]; {
	case s.info.DType != is:
		c.Detail = fmt.Sprintf("%s says that it computes in %s, its nodes compute in %s", run.GraphFile, orFloat32(s.info.DType), orFloat32(is))
	case s.wrongTypes != "":
		c.Detail = s.wrongTypes
	}
	if c.Detail != "" {
		c.Verdict = report.Fail
	}
	s.add(c)
	return nil
}

func orFloat32(name string) string {
	if name == "" {
		return "float32"
	}
	return name
}
