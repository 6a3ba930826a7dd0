package ref

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// choice is one expert that one token chose, and its weight.
type choice[T Float] struct {
	token  int
	weight T
}

// experts writes Σ w_e E_e(x) + Shared(x) to y, which may be x. An expert is read
// once, for the tokens that chose it, and not at all where none did. The router reads
// routed.
func (p *pass[T]) experts(ctx context.Context, m *family.Experts, at func(place string) string, x, routed, y []T) error {
	tokens, h := p.in.tokens(), p.model.Hidden
	chosen, err := p.route(ctx, &m.Router, at, routed)
	if err != nil {
		return err
	}
	sum := room(&p.work.mixed, tokens*h)
	clear(sum)
	for e, list := range chosen {
		if len(list) == 0 {
			continue
		}
		in, out := room(&p.work.gathered, len(list)*h), room(&p.work.expert, len(list)*h)
		for i, c := range list {
			copy(in[i*h:(i+1)*h], x[c.token*h:])
			if m.OnInput {
				for j := range h {
					in[i*h+j] *= c.weight
				}
				list[i].weight = 1
			}
		}
		if e >= len(m.Each) { // one that passes on its input
			copy(out, in)
		} else if err := p.mlp(ctx, &m.Each[e], in, out, len(list), func(string, []T, int) {}); err != nil {
			return fmt.Errorf("expert %d: %w", e, err)
		}
		for i, c := range list {
			for j, v := range out[i*h : (i+1)*h] {
				sum[c.token*h+j] += c.weight * v
			}
		}
	}
	p.tap(at(names.Chosen), sum, h)
	if m.Shared != nil {
		if err := p.shared(ctx, m, at, x, sum); err != nil {
			return err
		}
	}
	if m.Scale != 0 {
		for i := range sum {
			sum[i] *= T(m.Scale)
		}
	}
	copy(y, sum)
	return nil
}

// shared adds the shared expert's output to sum.
func (p *pass[T]) shared(ctx context.Context, m *family.Experts, at func(place string) string, x, sum []T) error {
	tokens, h := p.in.tokens(), p.model.Hidden
	out := room(&p.work.expert, tokens*h)
	err := p.mlp(ctx, m.Shared, x, out, tokens, func(place string, values []T, last int) { p.tap(at(family.AtShared(place)), values, last) })
	if err != nil {
		return err
	}
	if m.SharedGate != nil {
		gate := make([]T, tokens)
		if err := p.linear(ctx, m.SharedGate, x, tokens, gate, p.work); err != nil {
			return err
		}
		p.tap(at(family.AtSharedGate), gate, 1)
		for i := range out {
			out[i] *= sigmoid(gate[i/h])
		}
	}
	add(sum, out)
	return nil
}

// route lists the choices by expert, each list in the order of the tokens.
func (p *pass[T]) route(ctx context.Context, r *family.Router, at func(place string) string, x []T) ([][]choice[T], error) {
	tokens, h, n := p.in.tokens(), p.model.Hidden, int(r.Linear.Weight.Shape[0])
	if r.Norm != nil {
		normed := make([]T, len(x))
		if err := p.placedNorm(at(family.AtRouterNorm), r.Norm, x, normed); err != nil {
			return nil, err
		}
		x = normed
		scale(x, r.InScale)
	}
	scores := make([]T, tokens*n)
	if err := p.linear(ctx, &r.Linear, x, tokens, scores, p.work); err != nil {
		return nil, err
	}
	p.tap(at(family.AtRouter), scores, n)
	correction, err := p.vector(r.Correction)
	if err != nil {
		return nil, err
	}
	each, err := p.vector(r.Each)
	if err != nil {
		return nil, err
	}
	watch, err := p.watch(r, at(family.AtRouter))
	if err != nil {
		return nil, err
	}
	chosen, by := make([][]choice[T], n), make([]T, n)
	for t := range tokens {
		s := scores[t*n : (t+1)*n]
		copy(by, s)
		switch r.Score {
		case "sparsemixer":
			if watch != nil {
				p.chose(watch.mixed(norm2(x[t*h:(t+1)*h]), widened(s)), t)
			}
			for e, w := range mixed(s, T(2*r.Jitter)) {
				chosen[e] = append(chosen[e], choice[T]{t, w})
			}
			continue
		case "softmax":
			softmax(s)
		case "sigmoid":
			for e := range s {
				s[e] = sigmoid(s[e])
			}
		default:
			return nil, fmt.Errorf("router's score %q: expected softmax, sigmoid or sparsemixer", r.Score)
		}
		if !r.ByLogits {
			copy(by, s)
		}
		if correction != nil {
			add(by, correction)
		}
		if watch != nil {
			p.chose(watch.nearest(norm2(x[t*h:(t+1)*h]), widened(s), widened(by)), t)
		}
		if r.Groups > 0 {
			dropGroups(by, r.Groups, r.KeptGroups, r.GroupBest)
		}
		best := largest(by, r.TopK)
		var total T
		for _, e := range best {
			total += s[e]
		}
		for _, e := range best {
			w := s[e]
			if r.Normalise {
				w /= max(total+T(r.Eps), T(r.Floor))
			}
			if w *= T(r.Scale); each != nil {
				w *= each[e]
			}
			chosen[e] = append(chosen[e], choice[T]{t, w})
		}
	}
	return chosen, nil
}

// mixed chooses the sparse mixer's two experts and gives their weights. Beside an
// expert stand those whose logit lies less than spread below its own, by the larger
// one's size.
func mixed[T Float](z []T, spread T) map[int]T {
	best := largest(z, 2)
	weights := map[int]T{}
	for i, a := range best {
		var total T
		for e, v := range z {
			if i == 1 && e == best[0] || (z[a]-v)/max(T(math.Abs(float64(v))), z[a]) > spread {
				continue
			}
			total += T(math.Exp(float64(v - z[a])))
		}
		weights[a] = 1 / total
	}
	return weights
}

// dropGroups makes the scores of all but the kept groups −∞: those whose best scores
// sum to most stay.
func dropGroups[T Float](by []T, groups, kept, best int) {
	size := len(by) / groups
	sums := make([]T, groups)
	for g := range sums {
		of := by[g*size : (g+1)*size]
		for _, e := range largest(of, best) {
			sums[g] += of[e]
		}
	}
	stay := largest(sums, kept)
	for e := range by {
		if !slices.Contains(stay, e/size) {
			by[e] = T(math.Inf(-1))
		}
	}
}

// largest lists the k largest of s by their places, the largest first, of equals
// the first one.
func largest[T Float](s []T, k int) []int {
	order := make([]int, len(s))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s[b], s[a]) })
	return order[:min(k, len(order))]
}
