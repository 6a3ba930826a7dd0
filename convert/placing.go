package convert

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
)

// placing says how a tensor file that stays as it is will come to its place: as a
// link where those are asked for, else as a file of its own.
func (p *Plan) placing(source string) Action {
	if p.isAway() {
		if from, err := place.Parse(p.Model); err == nil && from.SameService(p.to) {
			return ServerCopy
		}
		return Copy
	}
	if _, local := p.folder.Local(); !local { // whatever is asked for: a link does not lead there
		return Copy
	}
	if p.options.Link {
		return Link
	}
	// A folder that cannot be written to is for Run and CheckTarget to name.
	if shares, err := fsio.Reflinks(source, p.nearest()); err == nil && shares {
		return Reflink
	}
	return Copy
}

// nearest is the folder at or above the target that is there already: it is on
// the file system that the target will be on.
func (p *Plan) nearest() string {
	dir := filepath.Dir(fsio.Absolute(p.Output))
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return dir
		}
		dir = parent
	}
}

// CopyTime estimates how many seconds the files of the plan take that must be
// written, from the rate at which the beginning of the largest tensor file is
// copied to where the target will be (at most 64 MiB, gone afterwards). It does
// not count the wait for the disk that RunOptions.Durable asks for. It is 0 where
// nothing must be written, and an error where the source cannot be read or the
// target's file system not be written to. It is 0 too where source or target are not
// on the local disk: how fast it comes is not known before it does.
func (p *Plan) CopyTime(ctx context.Context) (float64, error) {
	dir, local := p.folder.Local()
	if !local || p.isAway() {
		return 0, nil
	}
	largest := ""
	var size int64
	for _, f := range p.source.Files {
		if f.Bytes > size {
			largest, size = f.Name, f.Bytes
		}
	}
	if p.Written == 0 || largest == "" {
		return 0, nil
	}
	rate, err := fsio.CopyRate(ctx, filepath.Join(dir, largest), p.nearest())
	if err != nil {
		return 0, fmt.Errorf("plan: measure how fast files are copied: %w", err)
	}
	return float64(p.Written) / rate, nil
}
