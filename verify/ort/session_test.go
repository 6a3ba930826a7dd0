package ort_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

func run(t *testing.T, s *ort.Session, in map[string]ort.Tensor) map[string]ort.Tensor {
	t.Helper()
	out, err := s.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ramp(n int, from float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = from + float32(i)
	}
	return x
}

// The cache grows from nothing: a past of length 0 goes in, and what comes out
// goes in again.
func TestRunGrowsACacheFromAnEmptyPast(t *testing.T) {
	s := orttest.Open(t, "testdata/cache.onnx", ort.Options{})
	want := []string{"past F32 [batch 3 past 4]", "new F32 [batch 3 sequence 4]"}
	for i, v := range s.Inputs() {
		if v.String() != want[i] {
			t.Errorf("input %d is %q, want %q", i, v, want[i])
		}
	}

	first := run(t, s, map[string]ort.Tensor{
		"past": ort.Float32(nil, 1, 3, 0, 4),
		"new":  ort.Float32(ramp(12, 0), 1, 3, 1, 4),
	})["present"]
	if diff := cmp.Diff(ort.Float32(ramp(12, 0), 1, 3, 1, 4), first); diff != "" {
		t.Fatalf("present of an empty past (-want +got):\n%s", diff)
	}
	second := run(t, s, map[string]ort.Tensor{
		"past": first,
		"new":  ort.Float32(ramp(12, 100), 1, 3, 1, 4),
	})["present"]
	wantData := []float32{0, 1, 2, 3, 100, 101, 102, 103, 4, 5, 6, 7, 104, 105, 106, 107, 8, 9, 10, 11, 108, 109, 110, 111}
	if diff := cmp.Diff(ort.Float32(wantData, 1, 3, 2, 4), second); diff != "" {
		t.Fatalf("present of two (-want +got):\n%s", diff)
	}
	nothing := run(t, s, map[string]ort.Tensor{
		"past": ort.Float32(nil, 1, 3, 0, 4),
		"new":  ort.Float32(nil, 1, 3, 0, 4),
	})["present"]
	if diff := cmp.Diff([]int64{1, 3, 0, 4}, nothing.Shape); diff != "" || len(nothing.F32) != 0 {
		t.Fatalf("present of nothing: shape %v, %d elements", nothing.Shape, len(nothing.F32))
	}
}

// A mask that tells the length of the result, right and wrong: a wrong one is
// found, whichever memory the result was written to.
func TestRunWithAMaskOfTheResultsLength(t *testing.T) {
	s := orttest.Open(t, "testdata/cache_masked.onnx", ort.Options{})
	in := map[string]ort.Tensor{
		"past": ort.Float32(ramp(12, 0), 1, 3, 1, 4),
		"new":  ort.Float32(ramp(12, 100), 1, 3, 1, 4),
		"mask": ort.Int64([]int64{1, 1}, 1, 2),
	}
	want := []float32{0, 1, 2, 3, 100, 101, 102, 103, 4, 5, 6, 7, 104, 105, 106, 107, 8, 9, 10, 11, 108, 109, 110, 111}
	if diff := cmp.Diff(ort.Float32(want, 1, 3, 2, 4), run(t, s, in)["present"]); diff != "" {
		t.Errorf("present (-want +got):\n%s", diff)
	}
	in["mask"] = ort.Int64([]int64{1, 1, 1}, 1, 3)
	if _, err := s.Run(in); err == nil || !strings.Contains(err.Error(), `output "present": shape [1 3 2 4]: dimension 2 (total) is 2, but it is 3 in "mask"`) {
		t.Errorf("a mask that is too long: %v", err)
	}
}

func TestRunPassesEveryElementType(t *testing.T) {
	s := orttest.Open(t, "testdata/types.onnx", ort.Options{})
	in := map[string]ort.Tensor{}
	for name, d := range map[string]tensor.DType{
		"f16": tensor.F16, "bf16": tensor.BF16, "f64": tensor.F64, "i32": tensor.I32, "i16": tensor.I16, "i8": tensor.I8,
		"u64": tensor.U64, "u32": tensor.U32, "u16": tensor.U16, "u8": tensor.U8, "bool": tensor.Bool,
	} {
		data := make([]byte, 6*d.Size())
		for i := range data {
			data[i] = byte(i % 2)
		}
		in[name] = ort.Raw(d, data, 3, 2)
	}
	in["f32"] = ort.Float32([]float32{1, -2, float32(math.Inf(1)), math.SmallestNonzeroFloat32, 0, 7}, 3, 2)
	in["i64"] = ort.Int64([]int64{1, -2, math.MaxInt64, math.MinInt64, 0, 7}, 3, 2)
	want := map[string]ort.Tensor{}
	for name, x := range in {
		want[name+"_out"] = x
	}
	if diff := cmp.Diff(want, run(t, s, in)); diff != "" {
		t.Errorf("identity of every type (-want +got):\n%s", diff)
	}

	empty, wantEmpty := map[string]ort.Tensor{}, map[string]int{}
	for name, x := range in {
		empty[name] = ort.Tensor{DType: x.DType, Shape: []int64{0, 2}}
		wantEmpty[name+"_out"] = 0
	}
	for name, x := range run(t, s, empty) {
		if diff := cmp.Diff([]int64{0, 2}, x.Shape); diff != "" || len(x.F32)+len(x.I64)+len(x.Bytes) != wantEmpty[name] {
			t.Errorf("%s of nothing: shape %v", name, x.Shape)
		}
	}
}

func TestRunPassesScalars(t *testing.T) {
	s := orttest.Open(t, "testdata/scalar.onnx", ort.Options{})
	out := run(t, s, map[string]ort.Tensor{
		"a": ort.Float32([]float32{1.5}), "b": ort.Float32([]float32{2}), "i": ort.Int64([]int64{7}),
	})
	if out["sum"].F32[0] != 3.5 || out["neg"].I64[0] != -7 || len(out["sum"].Shape) != 0 {
		t.Errorf("1.5 + 2 and -7 came out as %v and %v", out["sum"], out["neg"])
	}
}

// 1, -2, 0.5 and 4 are stored as bfloat16 in a file of their own, 64 bytes in.
func TestRunReadsExternalWeights(t *testing.T) {
	for _, level := range ort.OptLevels() {
		s := orttest.Open(t, "testdata/external.onnx", ort.Options{OptLevel: level, Threads: 1})
		out := run(t, s, map[string]ort.Tensor{"x": ort.Float32([]float32{1, 0, 3, 10}, 2, 2)})
		if diff := cmp.Diff(ort.Float32([]float32{1, .5, -17, 41.5}, 2, 2), out["y"]); diff != "" {
			t.Errorf("x W^T at %q (-want +got):\n%s", level, diff)
		}
	}
}

func TestInputsWithADefaultAreNotAskedFor(t *testing.T) {
	s := orttest.Open(t, "testdata/default.onnx", ort.Options{})
	if len(s.Inputs()) != 1 || s.Inputs()[0].Name != "x" {
		t.Fatalf("inputs are %v, want x alone", s.Inputs())
	}
	out := run(t, s, map[string]ort.Tensor{"x": ort.Float32([]float32{1, 2}, 2)})
	if diff := cmp.Diff([]float32{3, 6}, out["y"].F32); diff != "" {
		t.Error(diff)
	}
}

func TestRunErrorsNameModelAndInput(t *testing.T) {
	f32 := func(shape ...int64) ort.Tensor {
		n, _ := tensor.Elements(shape)
		return ort.Float32(make([]float32, n), shape...)
	}
	for _, c := range []struct {
		name, model string
		in          map[string]ort.Tensor
		want        []string
	}{
		{"input missing", "cache", map[string]ort.Tensor{"past": f32(1, 3, 0, 4)},
			[]string{`input "new" is not given`, "takes past F32 [batch 3 past 4], new F32 [batch 3 sequence 4]"}},
		{"input unknown", "cache", map[string]ort.Tensor{"past": f32(1, 3, 0, 4), "new": f32(1, 3, 1, 4), "old": f32(1)},
			[]string{`no input "old"`}},
		{"rank", "cache", map[string]ort.Tensor{"past": f32(1, 3, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "past"`, "shape [1 3 4] has rank 3, the graph declares [batch 3 past 4]"}},
		{"dimension", "cache", map[string]ort.Tensor{"past": f32(1, 2, 0, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "past"`, "dimension 1 is 2"}},
		{"named dimension", "cache", map[string]ort.Tensor{"past": f32(2, 3, 1, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "new"`, `dimension 0 (batch) is 1, but it is 2 in "past"`}},
		{"dtype", "cache", map[string]ort.Tensor{"past": ort.Int64(nil, 1, 3, 0, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "past" is I64, the graph takes F32`}},
		{"too few elements", "cache", map[string]ort.Tensor{"past": ort.Float32(ramp(11, 0), 1, 3, 1, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "past"`, "needs 12 elements, has 11"}},
		{"negative dimension", "cache", map[string]ort.Tensor{"past": ort.Float32(nil, 1, 3, -1, 4), "new": f32(1, 3, 1, 4)},
			[]string{`input "past"`, "negative"}},
		{"position past the table", "table", map[string]ort.Tensor{"position_ids": ort.Int64([]int64{0, 4}, 1, 2)},
			[]string{"/table/Gather", "4"}},
		{"output not as stamped", "wrong_stamp", map[string]ort.Tensor{"x": ort.Float32([]float32{1, 0, 1}, 3)},
			[]string{`output "y"`, `dimension 1 (n) is 2, but it is 3 in "x"`}},
		{"output that cannot be read", "unfixed_f16", map[string]ort.Tensor{"x": ort.Raw(tensor.F16, make([]byte, 4), 1, 2)},
			[]string{`output "y"`, "F16", "[m 2]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := "testdata/" + c.model + ".onnx"
			s := orttest.Open(t, path, ort.Options{})
			out, err := s.Run(c.in)
			if err == nil {
				t.Fatalf("ran, and gave %v", out)
			}
			for _, want := range append(c.want, "ort: "+path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}

func TestRunEndsWithTheContext(t *testing.T) {
	s := orttest.Open(t, "testdata/loop.onnx", ort.Options{})
	out := run(t, s, map[string]ort.Tensor{"trips": ort.Int64([]int64{1000}), "start": ort.Float32([]float32{1}, 1)})
	if got := out["y"].F32[0]; got != 1001 {
		t.Errorf("1 + 1000 = %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.RunContext(ctx, map[string]ort.Tensor{"trips": ort.Int64([]int64{math.MaxInt64}), "start": ort.Float32([]float32{1}, 1)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless loop ended with %v, want the context's error", err)
	}
	if _, err := s.RunContext(ctx, map[string]ort.Tensor{"trips": ort.Int64([]int64{1}), "start": ort.Float32([]float32{1}, 1)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a run under a context that is done ended with %v", err)
	}
	out = run(t, s, map[string]ort.Tensor{"trips": ort.Int64([]int64{2}), "start": ort.Float32([]float32{1}, 1)})
	if got := out["y"].F32[0]; got != 3 {
		t.Errorf("after an interrupted run 1 + 2 = %v", got)
	}
}

// Many sessions at once, each run by several goroutines, and closed while runs
// of others are on.
func TestSessionsAreConcurrent(t *testing.T) {
	orttest.Require(t)
	var wg sync.WaitGroup
	for range 4 {
		s, err := ort.Open("testdata/external.onnx", ort.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		var runs sync.WaitGroup
		for g := range 3 {
			runs.Go(func() {
				for i := range 20 {
					x := float32(100*g + i)
					out, err := s.Run(map[string]ort.Tensor{"x": ort.Float32([]float32{x, 1}, 1, 2)})
					if err != nil {
						t.Error(err)
						return
					}
					if y := out["y"].F32; y[0] != x-2 || y[1] != x/2+4 {
						t.Errorf("x = %v gave %v", x, y)
					}
				}
			})
		}
		wg.Go(func() {
			runs.Wait()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestClosedSession(t *testing.T) {
	orttest.Require(t)
	s, err := ort.Open("testdata/default.onnx", ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := s.Run(nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed session ran: %v", err)
	}
}

// The output keeps its data after the session is gone and memory is reused.
func TestOutputsOutliveTheSession(t *testing.T) {
	orttest.Require(t)
	s, err := ort.Open("testdata/types.onnx", ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]ort.Tensor{}
	for _, v := range s.Inputs() {
		in[v.Name] = ort.Tensor{DType: v.DType, Shape: []int64{1, 2}, F32: []float32{1, 2}, I64: []int64{3, 4}, Bytes: make([]byte, 2*v.DType.Size())}
	}
	binary.LittleEndian.PutUint16(in["bf16"].Bytes, 0x3f80)
	out := run(t, s, in)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out["f32_out"].F32[1] != 2 || out["i64_out"].I64[0] != 3 || binary.LittleEndian.Uint16(out["bf16_out"].Bytes) != 0x3f80 {
		t.Errorf("after close: %v %v % x", out["f32_out"].F32, out["i64_out"].I64, out["bf16_out"].Bytes)
	}
}
