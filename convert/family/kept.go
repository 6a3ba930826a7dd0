package family

import (
	"encoding/json"
	"io"
	"io/fs"
)

// manifestName is the file of a conversion beside its result, which convert.Manifest is,
// and mostManifest how much of it is read.
const (
	manifestName = "pecvt.json"
	mostManifest = 16 << 20
)

// keptLength takes L from pecvt.json where the configuration has no key for it: a
// conversion gave the model more positions than it was trained at, by a rope type that
// names no original length; or it took one that an earlier conversion had kept so. A
// manifest of other positions than the configuration's is of something else, and one that
// cannot be read says nothing here: what reads it for its own sake says what is wrong
// with it.
func (m *Model) keptLength(folder fs.FS) {
	if m.TrainedLength != m.MaxPositions || m.Rope.Type == "dynamic" { // whose rotation follows the length
		return
	}
	f, err := folder.Open(manifestName)
	if err != nil {
		return
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, mostManifest))
	if err != nil {
		return
	}
	var made struct {
		Flags struct {
			Scale  string `json:"scale"`
			Extend int    `json:"extend"`
		} `json:"flags"`
		Encoding struct {
			TrainLength     int    `json:"train_length"`
			TrainLengthFrom string `json:"train_length_from"`
			MaxPositions    int    `json:"max_positions"`
		} `json:"encoding"`
	}
	if json.Unmarshal(raw, &made) != nil {
		return
	}
	e := made.Encoding
	if made.Flags.Scale == "" && made.Flags.Extend == 0 && e.TrainLengthFrom != manifestName { // the length is the source's; see convert.Plan.Warnings
		return
	}
	if e.MaxPositions == m.MaxPositions && e.TrainLength > 0 && e.TrainLength < m.TrainedLength {
		m.TrainedLength, m.TrainedLengthFrom = e.TrainLength, manifestName
	}
}
