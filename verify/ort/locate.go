package ort

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Environment variables read by [Locate].
const (
	EnvLibrary = "PECVT_ORT_LIB" // the library file
	EnvCache   = fsio.EnvCache   // the cache folder, instead of the user's
)

// Where [Locate] found the library.
const (
	SourceFlag   = hint.ORTLibrary
	SourceEnv    = EnvLibrary
	SourceCache  = "cache"
	SourceSystem = "system"
)

// cachedVersions are the versions that .ci/fetch-ort.sh may leave in the cache,
// the preferred one first: pip's package, then npm's.
var cachedVersions = []string{"1.32.0", "1.30.0"}

// Locate finds ONNX Runtime's library and tells where it was found: the path
// given, else the one in PECVT_ORT_LIB, else the cache, else the system's
// library folders. A path given either way is checked and is final: where it is
// no library for this system, Locate returns an error with Explicit set and
// looks no further. The error matches [ErrUnavailable].
func Locate(explicit string) (path, source string, err error) {
	if explicit != "" {
		path, err = named(explicit, SourceFlag)
		return path, SourceFlag, err
	}
	if env := os.Getenv(EnvLibrary); env != "" {
		path, err = named(env, SourceEnv)
		return path, SourceEnv, err
	}

	cached := cachePaths(runtime.GOOS)
	for _, path := range cached {
		err := checkImage(path, runtime.GOOS, runtime.GOARCH)
		if err == nil {
			return path, SourceCache, nil
		}
		// A damaged file in the cache is said, not skipped: another library
		// found in its place would hide it.
		if !errors.Is(err, fs.ErrNotExist) {
			return "", SourceCache, &UnavailableError{
				Reason: fmt.Sprintf("the cached library %s cannot be used", path),
				Err:    err,
				Remedy: "remove it and run `make ort`",
			}
		}
	}

	var rejected error
	for _, path := range systemPaths(runtime.GOOS) {
		err := checkImage(path, runtime.GOOS, runtime.GOARCH)
		if err == nil {
			return path, SourceSystem, nil
		}
		if rejected == nil {
			rejected = fmt.Errorf("%s: %w", path, err)
		}
	}

	where := "no cache folder: set " + EnvCache + " or HOME"
	if len(cached) > 0 {
		where = filepath.Dir(cached[0])
	}
	return "", "", &UnavailableError{
		Reason: fmt.Sprintf("no ONNX Runtime library: %s is not set, nothing in the cache (%s) or in the system's library folders", EnvLibrary, where),
		Err:    rejected,
		Remedy: howToGet,
	}
}

// named checks a path that somebody named. It is made absolute: the loader
// would look a bare file name up in its own folders.
func named(path, source string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		err = checkImage(abs, runtime.GOOS, runtime.GOARCH)
	}
	if err != nil {
		return "", &UnavailableError{
			Reason:   fmt.Sprintf("%s names %s, which cannot be used", source, path),
			Err:      err,
			Remedy:   fmt.Sprintf("give the file of ONNX Runtime's library (%s here), version %s or later", libraryName(runtime.GOOS, "N"), MinVersion),
			Explicit: true,
		}
	}
	return abs, nil
}

// libraryName gives the file name of the given version on a system.
func libraryName(goos, version string) string {
	switch goos {
	case "windows":
		return "onnxruntime.dll"
	case "darwin":
		return "libonnxruntime." + version + ".dylib"
	default:
		return "libonnxruntime.so." + version
	}
}

// cachePaths lists the places that .ci/fetch-ort.sh fills. It is empty where
// the system tells no cache folder.
func cachePaths(goos string) []string {
	cache, err := fsio.CacheDir()
	if err != nil {
		return nil
	}
	paths := make([]string, len(cachedVersions))
	for i, version := range cachedVersions {
		paths[i] = filepath.Join(cache, "onnxruntime-"+version, libraryName(goos, version))
	}
	return paths
}
