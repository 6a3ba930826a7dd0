package family

import (
	"os"

	"github.com/pecvt/pecvt/convert/family/config"
)

// Config is a checkpoint's config.json, Object one JSON object of it.
type (
	Config = config.Config
	Object = config.Object
)

// reader reads a configuration, keeping the first error.
type Reader = config.Reader

// ParseObject reads one JSON object. A repeated key is an error.
func ParseObject(data []byte) (*Object, error) { return config.ParseObject(data) }

// LoadConfig reads config.json from a checkpoint's folder.
func LoadConfig(dir string) (*Config, error) { return config.Load(dir, os.DirFS(dir)) }
