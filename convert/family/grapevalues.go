package family

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
)

// grapeM makes the frequencies learned: θ = exp(log_freq/s) with
// s = grape_log_freq_scale, one spectrum for all heads or one for each.
func grapeM(r *Reader, m *Model) {
	scale := 1.0
	if r.BoolOr(true, "grape_learnable_freq") {
		scale = positive(r, "grape_log_freq_scale", 16)
	}
	m.learnedSpectra(r, scale)
}

// grapeMContext is GRAPE-M with positions counted by a gate of the layer's
// input: Φ_t = Σ_{τ<t} σ((w·x_τ + b)/c).
func grapeMContext(r *Reader, m *Model) {
	m.learnedSpectra(r, 1)
	key, def := "grape_ctx_omega_scale", 16.0
	if r.C.Raw(key) != nil && !r.C.Has(key) { // null
		key = "grape_log_freq_scale"
	}
	c := positive(r, key, def)
	for i, a := range m.Attentions() {
		rows := int64(1)
		if r.BoolOr(false, "grape_ctx_per_head") {
			rows = int64(a.Heads)
		}
		a.Phase = &PhaseGate{Gate: m.layerLinear(i, "attn.omega_proj", rows, true), C: c}
	}
}

// learnedSpectra has every layer read its frequencies from the weights.
func (m *Model) learnedSpectra(r *Reader, scale float64) {
	shared := r.BoolOr(true, "grape_share_across_heads")
	m.learned = true
	for i, a := range m.Attentions() {
		planes := a.Rotary.Planes()
		a.Rotary.InvFreq = make([]float64, planes)
		rows := [][]float64{a.Rotary.InvFreq}
		shape := []int64{int64(planes)}
		if !shared {
			rows = grid(a.Heads, planes)
			a.Spectra = &HeadSpectra{InvFreq: rows}
			shape = []int64{int64(a.Heads), int64(planes)}
		}
		m.parameter(i, "attn.grape.log_freq", shape, func(v []float64) error {
			for h, row := range rows {
				r, err := posenc.GrapeM(v[h*planes:(h+1)*planes], scale, 2*planes)
				if err != nil {
					return fmt.Errorf("row %d: %w", h, err)
				}
				copy(row, r.InvFreq)
			}
			return nil
		})
	}
}

// grapeA has every layer read ω and the gates: β_h = softplus(ω_h) times
// ALiBi's slope, u and v L2-normalised.
func grapeA(name string, key, query bool) func(r *Reader, m *Model) {
	return func(r *Reader, m *Model) {
		for i, a := range m.Attentions() {
			slopes := append([]float64(nil), a.Bias.Slopes...)
			a.Bias.Slopes = make([]float64, a.Heads)
			m.parameter(i, "attn."+name+".omega", []int64{int64(a.Heads)}, func(v []float64) error {
				copy(a.Bias.Slopes, posenc.Omega(v, slopes))
				return nil
			})
			if key {
				a.Bias.U = grid(a.Heads, a.QKDim)
				m.gates(i, "attn."+name+".u", a.Bias.U, normal(r, "keygated_u"))
			}
			if query {
				a.Bias.V = grid(a.Heads, a.QKDim)
				m.gates(i, "attn."+name+".v", a.Bias.V, normal(r, "querygated_v"))
			}
		}
	}
}

// normal reads how gate vectors are normalised: the ε below which their norm is
// taken to be that, or 0 for not at all.
func normal(r *Reader, prefix string) float64 {
	if !r.BoolOr(true, prefix+"_l2_norm") {
		return 0
	}
	return positive(r, prefix+"_l2_eps", 1e-6)
}

// gates has rows read from the weights, v/max(‖v‖, eps) each.
func (m *Model) gates(layer int, name string, rows [][]float64, eps float64) {
	width := len(rows[0])
	m.parameter(layer, name, []int64{int64(len(rows)), int64(width)}, func(v []float64) error {
		gates := posenc.Matrix{Rows: len(rows), Cols: width, Data: v}
		if eps != 0 {
			gates = posenc.NormalizeRows(gates, eps)
		}
		for h, row := range rows {
			copy(row, gates.Row(h))
		}
		return nil
	})
}

// grapeAP gives the bias its vectors p: a projection of p_head_dim per head, or
// q, k or v by p_tie_mode.
func grapeAP(r *Reader, m *Model) {
	mode := strings.ToLower(r.TextOr("none", "p_tie_mode"))
	tie, known := map[string]string{"none": "", "pqtie": "q", "pq": "q", "pktie": "k", "pk": "k", "pvtie": "v", "pv": "v"}[mode]
	if !known {
		r.Fail(Unsupported("p_tie_mode %q%s", mode, posenc.Suggest(mode, []string{"none", "pqtie", "pktie", "pvtie"})))
		return
	}
	for i, a := range m.Attentions() {
		size := r.SizeOr(a.QKDim, "p_head_dim")
		if size%2 != 0 || tie != "" && size != a.QKDim {
			r.Fail(fmt.Errorf("p_head_dim is %d: expected an even number, and the head size %d where p is tied (p_tie_mode %q)", size, a.QKDim, mode))
		}
		if r.Err != nil {
			return
		}
		a.Bias.Tie, a.Bias.PDim = tie, size
		if tie == "" {
			p := m.layerLinear(i, "attn.c_p", int64(a.Heads)*int64(size), false)
			a.Bias.P = &p
		}
	}
}

// layerLinear is a linear of the official layout, y = W x (+ b) of the layer's
// input.
func (m *Model) layerLinear(layer int, name string, out int64, bias bool) Linear {
	name = layerTensor(layer, name)
	l := Linear{Weight: whole(name+".weight", out, int64(m.Hidden))}
	if bias {
		b := whole(name+".bias", out)
		l.Bias = &b
	}
	return l
}

// parameter adds a small tensor whose elements are handed to set when the model
// is loaded.
func (m *Model) parameter(layer int, name string, shape []int64, set func(v []float64) error) {
	m.read(whole(layerTensor(layer, name), shape...), set)
}

// read is parameter for a tensor of any name.
func (m *Model) read(w Weight, set func(v []float64) error) {
	m.Parameters = append(m.Parameters, w)
	m.values = append(m.values, func(src Source) error {
		v, err := w.Float64(src)
		if err != nil {
			return err
		}
		for j, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("tensor %q: element %d is %v: a weight must be finite; the file is damaged or the training diverged", w.Tensor, j, x)
			}
		}
		if err := set(v); err != nil {
			return fmt.Errorf("tensor %q: %w", w.Tensor, err)
		}
		return nil
	})
}

// hold reads a weight that is compared with what the model computes.
func (m *Model) hold(s Source, w Weight) ([]float64, error) {
	m.held = append(m.held, w)
	return w.Float64(s)
}

// Valued lists the stored tensors, or rows of them, that Load reads for their values:
// Parameters, and tables that it holds to what the model computes. Zeros in their place
// are another model, or none.
func (m *Model) Valued() []Weight { return append(slices.Clone(m.Parameters), m.held...) }

func layerTensor(layer int, name string) string {
	return fmt.Sprintf("transformer.h.%d.%s", layer, name)
}

// positive reads an optional number above 0.
func positive(r *Reader, key string, def float64) float64 {
	v := r.FloatOr(def, key)
	if !(v > 0) || math.IsInf(v, 0) {
		r.Fail(config.WrongType(key, r.C.Raw(key), "a positive number"))
	}
	return v
}

func grid(rows, width int) [][]float64 {
	flat, out := make([]float64, rows*width), make([][]float64, rows)
	for i := range out {
		out[i] = flat[i*width : (i+1)*width : (i+1)*width]
	}
	return out
}
