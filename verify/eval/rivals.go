package eval

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// itself is the rival that is the source as it is.
const itself = "source"

// Rival is what a source becomes for a comparison, by one conversion.
type Rival struct {
	// Name is as it was spelled; To and Scale are those of convert.Options. To is ""
	// for the source itself.
	Name  string
	To    string
	Scale posenc.Scale
}

// ParseRivals reads what a source is compared with: "source" is itself and not among the
// result; the others are targets of a conversion, as hope or grape-a:query, one that is
// a scaling with its factor, as yarn:4, or a target and a scaling, as hope+yarn:2. Whether
// a source can become it, the conversion says. Errors: no such target or factor, one that
// takes none, one that is there twice.
func ParseRivals(names []string) ([]Rival, error) {
	var list []Rival
	for i, name := range names {
		r, err := parseRival(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, hint.Errorf(hint.Compare+": %s is there twice: every rival is measured once; leave one out", name)
		}
		if r.To != "" {
			list = append(list, r)
		}
	}
	return list, nil
}

func parseRival(name string) (Rival, error) {
	r := Rival{Name: name}
	if name == itself {
		return r, nil
	}
	to, scale, scaled := strings.Cut(name, "+")
	kind, factor, chosen := strings.Cut(to, ":")
	names := []string{itself}
	for _, e := range posenc.Encodings() {
		names = append(names, e.Name)
		if e.Name != kind {
			continue
		}
		switch must := e.Scale == "must"; {
		case must && scaled:
			return r, hint.Errorf(hint.Compare+" %q: %s is a scaling itself: expected %s:FACTOR alone, or another target before the +", name, kind, kind)
		case scaled && e.Scale == "no":
			return r, hint.Errorf(hint.Compare+" %q: %s takes no scaling", name, kind)
		case must:
			r.To, scale, scaled = kind, to, true
			if !chosen || factor == "" {
				return r, hint.Errorf(hint.Compare+" %q: its factor is missing: expected %s:FACTOR, such as %s:2", name, kind, kind)
			}
		default:
			encoding, err := posenc.FindEncoding(to)
			if err != nil {
				return r, hint.Errorf(hint.Compare+" %q: %w", name, err)
			}
			r.To = encoding.String()
		}
		if !scaled {
			return r, nil
		}
		var err error
		if r.Scale, err = posenc.ParseScale(scale); err == nil && r.Scale.Kind == "" {
			err = fmt.Errorf("nothing behind the +: expected pi:FACTOR or yarn:FACTOR")
		}
		if err != nil {
			err = hint.Errorf(hint.Compare+" %q: %w", name, err)
		}
		return r, err
	}
	return r, hint.Errorf(hint.Compare+" %q: target %q%s", name, kind, posenc.Suggest(kind, names))
}

// addRivals makes the rivals of the source in a temporary folder, tensor files as links
// where they do not change, and opens them. All are planned before the first is written.
func (e *Evaluation) addRivals(ctx context.Context, source *Model) error {
	rivals, err := ParseRivals(e.c.Compare)
	if err != nil || len(rivals) == 0 {
		return err
	}
	base := e.c.Options.TempDir
	if files := source.ckpt.Files(); len(files) > 0 {
		base = fsio.Beside(files[0].Path, base, filepath.Dir(fsio.Absolute(source.ckpt.Root())))
	}
	if e.made, err = fsio.NewTemporary(base, "compare"); err != nil {
		return fmt.Errorf("eval: temporary folder: %w", err)
	}
	plans := make([]*convert.Plan, len(rivals))
	for i, r := range rivals {
		o := convert.Options{To: r.To, Scale: r.Scale, Link: true, IgnoreKeys: e.c.Options.IgnoreKeys, ToolVersion: e.c.Options.Version,
			Output: filepath.Join(e.made.Dir, fmt.Sprint("rival-", i))}
		if strings.EqualFold(filepath.Ext(source.path), ".gguf") {
			o.Output += ".gguf"
		}
		if plans[i], err = convert.NewPlanContext(ctx, source.path, o); err != nil {
			return hint.Errorf(hint.Compare+" %s: the source cannot become it: %w", r.Name, err)
		}
	}
	for i, r := range rivals {
		if _, err := convert.Run(ctx, plans[i], convert.RunOptions{}); err != nil {
			return hint.Errorf(hint.Compare+" %s: %w", r.Name, err)
		}
		m, err := Open(ctx, plans[i].Output, e.c.Options)
		if err != nil {
			return hint.Errorf(hint.Compare+" %s: %w", r.Name, err)
		}
		m.Name, m.as, m.from = r.Name, r.Name, source.Dir
		e.models = append(e.models, m)
	}
	return nil
}
