package convert

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// decide makes the rewrite. Where loaders of checkpoints are named, its layout and
// spelling are the first that all of them compute; those that were asked for stay
// as they are, with a warning where a named loader does not compute them.
func decide(m *family.Model, src family.Source, o Options) (r *rewrite.Rewrite, warnings []string, err error) {
	names, graphs, err := loaders.Named(o.For)
	if err != nil {
		return nil, nil, hint.Errorf("%w: "+hint.For+": %w", rewrite.ErrOptions, err)
	}
	if len(graphs) > 0 && o.Format == GGUF {
		return nil, nil, hint.Errorf("%w: "+hint.For+" %s: it reads a graph, and beside a GGUF file there is none", rewrite.ErrOptions, strings.Join(graphs, ","))
	}
	if len(names) == 0 || o.To == rewrite.AsIs {
		if r, err = rewrite.Make(m, src, o.Rewrite()); err != nil {
			return nil, nil, err
		}
		stands := standing(m)
		if o.Format == GGUF {
			stands = loaders.Judge(loaders.GGUF, m.Family)
		}
		missing := loaders.Missing(stands, names)
		if len(missing) > 0 {
			return nil, nil, hint.Errorf(hint.For+" %s: %w: the encoding stays as it is, and is not computed by all (%s)", strings.Join(names, ","), posenc.ErrUnsupported, loaders.Reasons(missing))
		}
		return r, nil, nil
	}
	ways := []rewrite.Options{o.Rewrite()}
	asked := o.Layout != "" || o.Spelling != "" && o.Spelling != rewrite.Auto
	if !asked {
		ways = nil
		for _, layout := range rewrite.Layouts() {
			for _, spelling := range rewrite.Spellings() {
				way := o.Rewrite()
				way.Layout, way.Spelling = layout, spelling
				ways = append(ways, way)
			}
		}
	}
	var against []string
	var first error
	said := map[string]bool{}
	for _, way := range ways {
		made, err := rewrite.Make(m, src, way)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		missing := loaders.Missing(readers(made, o.Format), names)
		if len(missing) == 0 {
			return made, nil, nil
		}
		if asked {
			return made, []string{fmt.Sprintf(hint.For+" %s: layout %s and rope type %s were asked for, and are not computed by all (%s)", strings.Join(names, ","), made.Layout, made.Spelling, loaders.Reasons(missing))}, nil
		}
		text := fmt.Sprintf("layout %s, rope type %s: %s", made.Layout, made.Spelling, loaders.Reasons(missing))
		if !said[text] {
			said[text] = true
			against = append(against, text)
		}
	}
	if against == nil {
		return nil, nil, first
	}
	return nil, nil, hint.Errorf(hint.To+" %s "+hint.For+" %s: %w: no way of saying it is computed by all (%s); name fewer and convert once for each", o.To, strings.Join(names, ","), posenc.ErrUnsupported, strings.Join(against, "; "))
}

// readers says what becomes of a result in the loaders of the table.
func readers(r *rewrite.Rewrite, format string) []loaders.Verdict {
	if format == GGUF {
		return loaders.Judge(loaders.GGUF, r.Family)
	}
	return r.Readers
}
