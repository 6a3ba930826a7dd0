package ort

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// entryPoint is the one function the library must export.
const entryPoint = "OrtGetApiBase"

// checkImage says why a file cannot be ONNX Runtime's library for the given
// system and architecture, nil where nothing speaks against it. It is asked
// before the loader, because onnxruntime_go closes a library that lacks the
// entry point before it reads the loader's reason, and because the loader's
// words for the commonest mistakes (a folder, a half-written file, another
// architecture) are poor.
func checkImage(path, goos, goarch string) error {
	return checkLibrary(path, goos, goarch, entryPoint, "ONNX Runtime")
}

// checkLibrary says likewise why a file cannot be the library of what is named,
// which exports symbol.
func checkLibrary(path, goos, goarch, symbol, what string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("it is a folder: name the library file in it")
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if info.Size() == 0 {
		return errors.New("the file is empty")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil {
		return fmt.Errorf("no shared library: the file has %d bytes", info.Size())
	}
	kind := imageKind(magic)
	if want := imageKindOf(goos); kind != want {
		if kind == "" {
			return fmt.Errorf("no shared library: it starts with % x", magic)
		}
		return fmt.Errorf("a library of another system: %s, %s needs %s", kind, goos, want)
	}
	switch kind {
	case "ELF":
		return checkELF(f, goarch, symbol, what)
	case "Mach-O":
		return checkMachO(f, goarch)
	default:
		return checkPE(f, goarch)
	}
}

func imageKindOf(goos string) string {
	switch goos {
	case "windows":
		return "PE"
	case "darwin", "ios":
		return "Mach-O"
	default:
		return "ELF"
	}
}

func imageKind(magic []byte) string {
	switch {
	case string(magic) == elf.ELFMAG:
		return "ELF"
	case bytes.HasPrefix(magic, []byte("MZ")):
		return "PE"
	case slices.Contains([]string{"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xca\xfe\xba\xbe"}, string(magic)):
		return "Mach-O"
	default:
		return ""
	}
}

func wrongArch(got fmt.Stringer, goarch string) error {
	return fmt.Errorf("a library of another architecture: %v, this program is %s", got, goarch)
}

func checkELF(r io.ReaderAt, goarch, symbol, what string) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("a damaged library: %w", err)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("no shared library: its type is %v", f.Type)
	}
	machines := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "386": elf.EM_386, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM,
		"riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "loong64": elf.EM_LOONGARCH,
	}
	if want, known := machines[goarch]; known && f.Machine != want {
		return wrongArch(f.Machine, goarch)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("a damaged library (cut off, perhaps): %w", err)
	}
	if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool {
		return s.Name == symbol && s.Section != elf.SHN_UNDEF
	}) {
		return fmt.Errorf("a library, but not %s: it does not export %s", what, symbol)
	}
	return nil
}

func checkMachO(r io.ReaderAt, goarch string) error {
	cpus := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}
	want, known := cpus[goarch]
	fat, err := macho.NewFatFile(r)
	if err == nil {
		defer fat.Close()
		if known && !slices.ContainsFunc(fat.Arches, func(a macho.FatArch) bool { return a.Cpu == want }) {
			return fmt.Errorf("a library of other architectures: none of its %d is %s", len(fat.Arches), goarch)
		}
		return nil
	}
	f, err := macho.NewFile(r)
	if err != nil {
		return fmt.Errorf("a damaged library: %w", err)
	}
	defer f.Close()
	if known && f.Cpu != want {
		return wrongArch(f.Cpu, goarch)
	}
	if f.Type != macho.TypeDylib {
		return fmt.Errorf("no shared library: its type is %v", f.Type)
	}
	return nil
}

func checkPE(r io.ReaderAt, goarch string) error {
	f, err := pe.NewFile(r)
	if err != nil {
		return fmt.Errorf("a damaged library: %w", err)
	}
	defer f.Close()
	machines := map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}
	if want, known := machines[goarch]; known && f.Machine != want {
		return fmt.Errorf("a library of another architecture: machine %#x, this program is %s", f.Machine, goarch)
	}
	if f.Characteristics&pe.IMAGE_FILE_DLL == 0 {
		return errors.New("no shared library: it is a program")
	}
	return nil
}
