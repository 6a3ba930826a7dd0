package verify

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// lawGates: a bias is never positive, 0 at distance 0, and keeps the laws of its kind
// (posenc.Biases), in every layer, for every query and visible key. Of a bias in
// coordinates of the heads, which is known up to a term of the query's own, the bias
// at distance 0 is taken off.
func (s *session) lawGates() error {
	if s.broken(func(a *family.Attention) string {
		if a.Bias != nil {
			return "a bias"
		}
		return ""
	}) == "" {
		s.noLaw(report.CheckLawGates, "no law of this encoding: no layer has a bias")
		return nil
	}
	g := run.Exact(s.others)
	if g == nil {
		s.noLaw(report.CheckLawGates, "no runner shows values of the graph in float64, where a bias is seen")
		return nil
	}
	n := min(len(s.in.IDs[0]), shiftTokens)
	in := run.Prompt([][]int64{s.in.IDs[0][:n]}, 0)
	return s.law(report.CheckLawGates, g, lawLimit(g.Arithmetic()), func() (f finding, err error) {
		names, meetings := map[string]bool{}, s.meetings()
		for _, m := range meetings {
			names[m.query], names[m.key], names[m.bias] = true, true, true
		}
		found, err := s.tapped(g, in, names)
		if err != nil {
			return f, err
		}
		for i, a := range s.model.Attentions() {
			if a.Bias == nil {
				continue
			}
			if bias, ok := headsOf(found[meetings[i].bias]); ok {
				masked := func(h, q, k int) float64 { return bias.at(0, h%bias.shape[1], q)[k] }
				f.gates(i, bias.shape[1], n, true, masked)
				f.biasLaws(i, a.Bias, bias.shape[1], n, masked)
				continue
			}
			q, okQ := headsOf(found[meetings[i].query])
			k, okK := headsOf(found[meetings[i].key])
			if okQ && okK && (q.shape[1] != a.Heads || k.shape[1] != a.KVHeads) {
				return finding{}, fmt.Errorf("layer %d: %d heads on %d in the graph: config.json has %d on %d", i, q.shape[1], k.shape[1], a.Heads, a.KVHeads)
			}
			if !okQ || !okK || q.shape[3] <= a.QKDim {
				return finding{}, fmt.Errorf("layer %d: no bias is found in the graph, neither in its mask nor before its heads", i)
			}
			extra, sinks := q.shape[3]-a.QKDim, 0
			if a.Sinks != nil {
				sinks = 1 // a key before all others, and the coordinate that meets it
			}
			score := func(h, i, j int) float64 {
				return a.Scale * dot(q.at(0, h, i)[sinks:extra], k.at(0, h/(a.Heads/a.KVHeads), sinks+j)[sinks:extra])
			}
			f.gates(i, a.Heads, n, false, score)
			f.biasLaws(i, a.Bias, a.Heads, n, score)
		}
		return f, nil
	})
}

// gates notes where a layer's bias b(h, i, j) is positive, or, whole, not 0 at
// distance 0.
func (f *finding) gates(layer, heads, n int, whole bool, b func(h, i, j int) float64) {
	f.positions = n
	for h := range heads {
		largest := 0.0
		for i := range n {
			for j := range i + 1 {
				largest = max(largest, math.Abs(b(h, i, j)-b(h, i, i)))
			}
		}
		largest = max(largest, 1e-6) // of scores of the order of 1
		for i := range n {
			zero := b(h, i, i)
			if whole {
				f.at(math.Abs(zero)/largest, "layer %d, head %d: the bias of position %d on itself is %.3g, not 0", layer, h, i, zero)
			}
			for j := range i {
				if v := b(h, i, j) - zero; v > 0 {
					f.at(v/largest, "layer %d, head %d: the bias of position %d on position %d is %.3g: above 0", layer, h, i, j, v)
				}
			}
		}
	}
	f.at(0, "layer %d: nothing", layer)
}

// biasRow is a bias's row of the table of biases.
func biasRow(b *family.Bias) string {
	switch b.Kind {
	case family.ALiBi:
		if b.RoundBF16 {
			return "alibi:falcon"
		}
		return "alibi"
	case family.Gated:
		switch {
		case b.U == nil:
			return "grape-a:query"
		case b.V == nil:
			return "grape-a:key"
		}
		return "grape-a:querykey"
	case family.Forget:
		return "fox"
	case family.Path:
		return "grape-ap"
	case family.Kerple:
		if b.Power {
			return "kerple:power"
		}
		return "kerple:log"
	}
	return ""
}

// biasLaws notes where a layer's bias b(h, i, j), known up to a term in i, breaks a law
// that the table of biases promises for its kind. That path sums add, b_ij + b_jm =
// b_im, is ALiBi as a group of unipotent matrices: G(m) G(n) = G(m + n).
func (f *finding) biasLaws(layer int, of *family.Bias, heads, n int, b func(h, i, j int) float64) {
	var laws posenc.Laws
	for _, row := range posenc.Biases() {
		if row.Name == biasRow(of) {
			laws = row.Laws
		}
	}
	still := laws.Relative && (of.Kind == family.ALiBi || of.Kind == family.Kerple) // reads no token
	for h := range heads {
		at := func(i, j int) float64 { return b(h, i, j) - b(h, i, i) }
		largest := 1e-6 // of scores of the order of 1
		for i := range n {
			for j := range i {
				largest = max(largest, math.Abs(at(i, j)))
			}
		}
		for i := range n {
			for j := range i {
				bias := at(i, j)
				if v := at(i, j+1); laws.FallsByKey && bias > v {
					f.at((bias-v)/largest, "layer %d, head %d: the bias of position %d on position %d is %.3g, above the %.3g of the nearer %d", layer, h, i, j, bias, v, j+1)
				}
				if v := at(i-1, j); laws.FallsByQuery && bias > v {
					f.at((bias-v)/largest, "layer %d, head %d: the bias on position %d is %.3g from position %d, above the %.3g from the nearer %d", layer, h, j, bias, i, v, i-1)
				}
				if v := at(i-j, 0); still {
					f.at(math.Abs(bias-v)/largest, "layer %d, head %d: the bias of position %d on position %d is %.3g, and %.3g from %d on 0: no function of the distance", layer, h, i, j, bias, v, i-j)
				}
				for m := range j {
					if v := at(j, m) - at(i, m); laws.PathSums {
						f.at(math.Abs(bias+v)/largest, "layer %d, head %d: the biases of position %d on %d and of that on %d add up to %.3g, the first on the last is %.3g", layer, h, i, j, m, bias+at(j, m), at(i, m))
					}
				}
			}
		}
	}
}
