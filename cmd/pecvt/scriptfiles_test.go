package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// cmdCopy copies a folder or a file: copy FROM TO.
func cmdCopy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: copy FROM TO")
	}
	from, to := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	if st, err := os.Stat(from); err == nil && st.IsDir() {
		ts.Check(os.CopyFS(to, os.DirFS(from)))
		return
	}
	data, err := os.ReadFile(from)
	ts.Check(err)
	ts.Check(os.WriteFile(to, data, 0o666))
}

// tree lists every file under dir with mode and hash.
func tree(dir string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sum := ""
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h := sha256.Sum256(data)
			sum = hex.EncodeToString(h[:])
		}
		fmt.Fprintf(&b, "%s %v %s\n", rel, d.Type(), sum)
		return nil
	})
	return b.String(), err
}

// cmdSnapshot remembers a folder for [cmdUnchanged]: snapshot DIR.
func cmdSnapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: snapshot DIR")
	}
	text, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("SNAPSHOT_"+filepath.Base(args[0]), text)
}

// cmdUnchanged requires a folder to be as it was: unchanged DIR.
func cmdUnchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unchanged DIR")
	}
	now, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	if was := ts.Getenv("SNAPSHOT_" + filepath.Base(args[0])); was != now {
		ts.Fatalf("%s changed:\nwas:\n%s\nis:\n%s", args[0], was, now)
	}
}

// cmdOnly requires a folder to hold exactly these names, hidden ones too:
// only DIR name...
func cmdOnly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: only DIR name...")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s holds %q, want %q", args[0], got, want)
	}
}

// cmdPlainFiles requires a folder to hold files alone, no links: plainfiles DIR.
func cmdPlainFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: plainfiles DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		if !e.Type().IsRegular() {
			ts.Fatalf("%s is no plain file but %v", e.Name(), e.Type())
		}
	}
}

// cmdSameBytes requires two folders to hold the same files with the same
// bytes: samebytes A B.
func cmdSameBytes(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] samebytes A B")
	}
	a, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := tree(ts.MkAbs(args[1]))
	ts.Check(err)
	if (a == b) == neg {
		ts.Fatalf("%s:\n%s\n%s:\n%s", args[0], a, args[1], b)
	}
}

// cmdRetype rewrites a tensor file's header without touching its data:
// retype FILE OLD NEW replaces text in the header.
func cmdRetype(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: retype FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	n := int(leUint64(data))
	header := data[8 : 8+n]
	if !bytes.Contains(header, []byte(args[1])) {
		ts.Fatalf("%s: no %q in its header", args[0], args[1])
	}
	header = bytes.Replace(bytes.TrimRight(header, " "), []byte(args[1]), []byte(args[2]), 1)
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	out := putUint64(nil, uint64(len(header)))
	out = append(append(out, header...), data[8+n:]...)
	ts.Check(os.WriteFile(path, out, 0o666))
}

// cmdTruncate cuts a file: truncate FILE BYTES; negative is off the end.
func cmdTruncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	if n < 0 {
		st, err := os.Stat(path)
		ts.Check(err)
		n += st.Size()
	}
	ts.Check(os.Truncate(path, n))
}

// cmdAppend adds bytes at a file's end: append FILE BYTES.
func cmdAppend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE BYTES")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(pokeFile(ts.MkAbs(args[0]), st.Size(), make([]byte, n)))
}

// cmdPoke overwrites bytes: poke FILE OFFSET HEX.
func cmdPoke(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: poke FILE OFFSET HEX")
	}
	at, err := strconv.ParseInt(args[1], 0, 64)
	ts.Check(err)
	data, err := hex.DecodeString(args[2])
	ts.Check(err)
	ts.Check(pokeFile(ts.MkAbs(args[0]), at, data))
}

func pokeFile(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(data, at)
	return err
}

// cmdElement sets one element of a tensor: element FILE TENSOR INDEX VALUE.
func cmdElement(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: element FILE TENSOR INDEX VALUE")
	}
	index, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	value, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	ts.Check(setElement(ts.MkAbs(args[0]), args[1], index, value))
}

// setElement overwrites one element of a tensor in a safetensors file.
func setElement(path, name string, index int64, value float64) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	info, ok := f.Lookup(name)
	start := f.DataStart()
	if err := f.Close(); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s has no tensor %q", path, name)
	}
	raw := make([]byte, info.DType.Size())
	if math.IsNaN(value) || math.IsInf(value, 0) || info.DType.IsFloat() {
		if err := tensor.Encode64(raw, []float64{value}, info.DType); err != nil {
			return err
		}
	}
	return pokeFile(path, start+info.Begin+index*int64(info.DType.Size()), raw)
}

func leUint64(b []byte) uint64 {
	var n uint64
	for i := range 8 {
		n |= uint64(b[i]) << (8 * i)
	}
	return n
}

func putUint64(b []byte, n uint64) []byte {
	for i := range 8 {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}
