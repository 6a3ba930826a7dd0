package ort

import (
	"fmt"
	"path/filepath"
	"sync"
)

// loaded is the library of this process. There can be only one: ONNX Runtime
// keeps global state, and a library cannot be unloaded safely.
var loaded struct {
	sync.Mutex
	path    string
	version string
}

// Library is a loaded ONNX Runtime.
type Library struct {
	Path    string // the file
	Source  string // where it was found: one of the Source constants
	Version string // what the library calls itself: "1.32.0"
}

// Load finds the library ([Locate]) and loads it ([Init]).
func Load(explicit string) (Library, error) {
	if builtWithout != nil {
		return Library{}, builtWithout
	}
	path, source, err := Locate(explicit)
	if err != nil {
		return Library{}, err
	}
	if err := initFrom(path, source == SourceFlag || source == SourceEnv); err != nil {
		return Library{}, err
	}
	return Library{Path: path, Source: source, Version: Version()}, nil
}

// Init loads the library at path. Doing so again with the same file does
// nothing; with another file it is an error. The error matches
// [ErrUnavailable].
func Init(path string) error { return initFrom(path, true) }

func initFrom(path string, explicit bool) error {
	if builtWithout != nil {
		return builtWithout
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("ort: %w", err)
	}
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.version != "" {
		if loaded.path == abs {
			return nil
		}
		return fmt.Errorf("ort: cannot load %s: this process has loaded %s already, and there can be only one", abs, loaded.path)
	}
	version, err := loadLibrary(abs)
	if err != nil {
		return &UnavailableError{
			Reason:   "cannot load " + abs,
			Err:      err,
			Remedy:   howToGet,
			Explicit: explicit,
		}
	}
	loaded.path, loaded.version = abs, version
	return nil
}

// Version gives the loaded library's version, "" before [Init].
func Version() string {
	loaded.Lock()
	defer loaded.Unlock()
	return loaded.version
}

func libraryPath() string {
	loaded.Lock()
	defer loaded.Unlock()
	return loaded.path
}
