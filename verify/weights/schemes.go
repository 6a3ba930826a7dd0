package weights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/verify/run"
)

// unlikeScheme tells of the first rounded weight whose codes are not what the graph's
// metadata say they are: Coding of linear maps, and Head, where it is there, of the
// embedding and the head, which may stay as they are stored; "" where all are.
func (s *placed) unlikeScheme(list []*run.Rounded) string {
	outer := []string{s.loaded.Embed.Tensor, s.loaded.Head.Weight.Tensor}
	for _, r := range list {
		want := []string{s.info.Coding}
		if s.info.Head != "" && slices.Contains(outer, r.Weight.Tensor) {
			want = strings.Split(s.info.Head, "; ")
		}
		if found := r.Scheme(); !slices.Contains(want, found) {
			return fmt.Sprintf("the graph's codes of tensor %q are %s, its metadata say %s", r.Weight.Tensor, found, strings.Join(want, " or "))
		}
	}
	return ""
}
