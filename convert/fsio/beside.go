package fsio

import (
	"os"
	"path/filepath"
)

// Beside is the first of the folders ("" is the system's place for temporary files) that
// can be written to and hold a hard link to the file, "" where none can.
func Beside(file string, folders ...string) string {
	for _, base := range folders {
		own, err := NewTemporary(base, "beside")
		if err != nil {
			continue
		}
		err = os.Link(file, filepath.Join(own.Dir, "link"))
		own.Remove()
		if err == nil {
			return base
		}
	}
	return ""
}
