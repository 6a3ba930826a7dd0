package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/run"
)

// staged makes what is named by URLs lie on the local disk: the folder, of which little
// comes where some layers are asked for (partly is not nil then), and the source.
func staged(ctx context.Context, dir *string, o *Options) (partly *place.Partly, err error) {
	if place.IsURL(*dir) && len(o.Layers) > 0 {
		if err := o.check(); err != nil { // before anything comes
			return nil, fmt.Errorf("verify: %w", err)
		}
		if err := graphAway(ctx, *dir); err != nil {
			return nil, err
		}
		if partly, err = place.StagePartly(ctx, *dir, o.Fetched); err != nil {
			return nil, err
		}
		*dir = partly.Dir()
		return partly, nil // a source and layers exclude each other
	}
	if err := graphAway(ctx, *dir); err != nil {
		return nil, err
	}
	for _, m := range []*string{dir, &o.Against} {
		if !place.IsURL(*m) {
			continue
		}
		if *m, err = place.Stage(ctx, *m, o.Fetched); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// graphAway is [somethingToVerify] of what is named by a URL, before all of it comes.
func graphAway(ctx context.Context, dir string) error {
	at, err := place.Parse(dir)
	if err != nil {
		return err
	}
	if _, local := at.Local(); local {
		return nil
	}
	if place.IsFile(at.Base()) {
		return isFile(at.String())
	}
	f, err := at.Open(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, name := range run.GraphNames() {
		if _, err := f.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return noGraph(f.Root())
}

// fetchWeights has the numbers come of the layers that are run, with the embedding and
// the head, many at a time: each check would have them come one by one.
func (s *session) fetchWeights() error {
	if s.partly == nil {
		return nil
	}
	stored := store.Stored(s.ckpt)
	var spans []place.Span
	add := func(tensor string) {
		if at, ok := stored.Place(tensor); ok {
			spans = append(spans, place.Span{Name: filepath.Base(at.File), Offset: at.Offset, Length: at.Length})
		}
	}
	for w := range s.kept.EachWeight() {
		add(w.Tensor)
	}
	return s.partly.Fetch(s.ctx, spans, s.opts.Fetched)
}

// fetchInitializers has come what the graph of some layers reads of the tensor files, for
// those that read it by themselves.
func (s *session) fetchInitializers() error {
	if s.partly == nil {
		return nil
	}
	var spans []place.Span
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		if location, offset, length := run.External(t); location != "" {
			spans = append(spans, place.Span{Name: location, Offset: offset, Length: length})
		}
	}
	return s.partly.Fetch(s.ctx, spans, s.opts.Fetched)
}
