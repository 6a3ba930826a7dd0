package ort

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// elfHeader is the start of a 64-bit little-endian ELF file without sections.
func elfHeader(kind, machine uint16) string {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(h[16:], kind)
	binary.LittleEndian.PutUint16(h[18:], machine)
	binary.LittleEndian.PutUint32(h[20:], 1)
	binary.LittleEndian.PutUint16(h[52:], 64)
	return string(h)
}

// machOHeader is a 64-bit Mach-O file without load commands.
func machOHeader(cpu, kind uint32) string {
	h := make([]byte, 32)
	for i, v := range []uint32{0xfeedfacf, cpu, 0, kind} {
		binary.LittleEndian.PutUint32(h[4*i:], v)
	}
	return string(h)
}

// peHeader is a PE file without sections.
func peHeader(machine, characteristics uint16) string {
	h := make([]byte, 0x40+24+96)
	copy(h, "MZ")
	binary.LittleEndian.PutUint32(h[0x3c:], 0x40)
	copy(h[0x40:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(h[0x44:], machine)
	binary.LittleEndian.PutUint16(h[0x56:], characteristics)
	return string(h)
}

func TestCheckImage(t *testing.T) {
	const (
		etExec, etDyn   = 2, 3
		x86, arm        = 62, 183
		machAMD, machA  = 0x01000007, 0x0100000c
		machBin, machDy = 2, 6
		peAMD, peARM    = 0x8664, 0xaa64
		peDLL           = 0x2000
	)
	for _, c := range []struct{ name, data, goos, goarch, want string }{
		{"empty", "", "linux", "amd64", "the file is empty"},
		{"three bytes", "\x7fEL", "linux", "amd64", "has 3 bytes"},
		{"text", "/* GNU ld script */", "linux", "amd64", "no shared library: it starts with 2f 2a 20 47"},
		{"cut after the magic", "\x7fELF", "linux", "amd64", "a damaged library"},
		{"program", elfHeader(etExec, x86), "linux", "amd64", "no shared library: its type is ET_EXEC"},
		{"other architecture", elfHeader(etDyn, arm), "linux", "amd64", "another architecture: EM_AARCH64, this program is amd64"},
		{"no symbols", elfHeader(etDyn, x86), "linux", "amd64", "a damaged library (cut off, perhaps)"},
		{"dll on linux", peHeader(peAMD, peDLL), "linux", "amd64", "another system: PE, linux needs ELF"},
		{"so on windows", elfHeader(etDyn, x86), "windows", "amd64", "another system: ELF, windows needs PE"},
		{"so on darwin", elfHeader(etDyn, arm), "darwin", "arm64", "another system: ELF, darwin needs Mach-O"},
		{"dylib", machOHeader(machA, machDy), "darwin", "arm64", ""},
		{"dylib, other architecture", machOHeader(machAMD, machDy), "darwin", "arm64", "another architecture: CpuAmd64"},
		{"darwin program", machOHeader(machA, machBin), "darwin", "arm64", "no shared library"},
		{"damaged dylib", "\xcf\xfa\xed\xfe", "darwin", "arm64", "damaged"},
		{"dll", peHeader(peAMD, peDLL), "windows", "amd64", ""},
		{"dll, other architecture", peHeader(peARM, peDLL), "windows", "amd64", "another architecture: machine 0xaa64"},
		{"exe", peHeader(peAMD, 0), "windows", "amd64", "it is a program"},
		{"damaged dll", "MZ\x00\x00", "windows", "amd64", "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkImage(write(t, filepath.Join(t.TempDir(), "lib"), c.data), c.goos, c.goarch)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// The real library passes, cut short it does not, and a real library that is
// another one is told apart.
func TestCheckImageOfRealLibraries(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the libraries looked at are Linux ones")
	}
	real := filepath.Join(t.TempDir(), "real.so")
	library(t, real)
	if err := checkImage(real, runtime.GOOS, runtime.GOARCH); err != nil {
		t.Errorf("the real library is refused: %v", err)
	}
	data, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, filepath.Join(t.TempDir(), "cut.so"), string(data[:len(data)/2]))
	if err := checkImage(cut, runtime.GOOS, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), "damaged library") {
		t.Errorf("half of the library: %v", err)
	}
	others, _ := filepath.Glob("/lib/*-linux-gnu/libm.so.6")
	if len(others) == 0 {
		t.Skip("no other library to look at in /lib")
	}
	if err := checkImage(others[0], runtime.GOOS, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), "not ONNX Runtime") {
		t.Errorf("%s: %v", others[0], err)
	}
}
