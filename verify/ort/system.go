package ort

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// systemPaths lists the files in the system's library folders that may be ONNX
// Runtime, in the loader's order. Looking ourselves, rather than handing the
// loader a bare name, lets the report say which file is used.
func systemPaths(goos string) []string {
	var paths []string
	for _, dir := range systemDirs(goos) {
		for _, pattern := range systemNames(goos) {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				continue // a folder name that is no pattern
			}
			slices.Sort(found)
			for _, path := range found {
				if !slices.Contains(paths, path) {
					paths = append(paths, path)
				}
			}
		}
	}
	return paths
}

func systemNames(goos string) []string {
	switch goos {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime.dylib", "libonnxruntime.*.dylib"}
	default:
		return []string{"libonnxruntime.so", "libonnxruntime.so.*"}
	}
}

// systemDirs lists the folders the loader searches, those of the environment
// first.
func systemDirs(goos string) []string {
	switch goos {
	case "windows":
		return filepath.SplitList(os.Getenv("PATH"))
	case "darwin":
		dirs := filepath.SplitList(os.Getenv("DYLD_LIBRARY_PATH"))
		return append(dirs, "/opt/homebrew/lib", "/usr/local/lib", "/usr/lib")
	default:
		dirs := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
		dirs = append(dirs, loaderConfig("/etc/ld.so.conf", 0)...)
		return append(dirs, "/usr/local/lib", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	}
}

// loaderConfig reads the folders named by glibc's loader configuration, and by
// the files it includes. A file that cannot be read names none.
func loaderConfig(path string, depth int) []string {
	const maxDepth = 4 // a configuration may include itself
	text, err := os.ReadFile(path)
	if err != nil || depth > maxDepth {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == "include":
			for _, pattern := range fields[1:] {
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(filepath.Dir(path), pattern)
				}
				included, _ := filepath.Glob(pattern)
				for _, file := range included {
					dirs = append(dirs, loaderConfig(file, depth+1)...)
				}
			}
		case filepath.IsAbs(fields[0]):
			dirs = append(dirs, fields[0])
		}
	}
	return dirs
}
