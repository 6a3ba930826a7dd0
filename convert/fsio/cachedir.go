package fsio

import (
	"os"
	"path/filepath"
)

// EnvCache names the cache folder, instead of the user's.
const EnvCache = "PECVT_CACHE"

// CacheDir is the folder for what can be fetched or made again: that of [EnvCache], or
// pecvt in the user's. It is an error where the system tells none. Nothing is made.
func CacheDir() (string, error) {
	if dir := os.Getenv(EnvCache); dir != "" {
		return dir, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, "pecvt"), nil
}
