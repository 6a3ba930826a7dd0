package posenc

// The forms of GRAPE-M whose generator is more than one frequency for each plane
// of coordinates (arXiv 2512.07805, sections 2 and 3): every key/value head turns by
// exp(tL), L skew, and L_θ is the generator of its planes as the source pairs them.

// FormPrefix stands before the name of a form: grape-m:basis.
const FormPrefix = "grape-m:"

var (
	basisEncoding = Encoding{Name: "grape-m:basis", Title: "GRAPE-M in a learned orthogonal basis per layer and key/value head", Paper: "2512.07805",
		Angle: "exp(tL), L = B L_θ Bᵀ", Scale: "no"}
	mixedEncoding = Encoding{Name: "grape-m:mixed", Title: "non-commuting GRAPE-M: a learned generator in a subspace, beside the planes", Paper: "2512.07805",
		Angle: "exp(tL), L = L_θ + E L_r Eᵀ", Scale: "no", Count: "an even rank r", N: 8}
	rank2Encoding = Encoding{Name: "grape-m:rank2", Title: "GRAPE-M of rank-2 generators, beside the planes", Paper: "2512.07805",
		Angle: "exp(tL), L = L_θ + Σ_m (a_m b_mᵀ − b_m a_mᵀ)", Scale: "no", Count: "how many generators m"}
	denseEncoding = Encoding{Name: "grape-m:dense", Title: "a dense skew generator per layer and key/value head, as LieRE's", Paper: "2406.10322",
		Angle: "exp(tL), L = −Lᵀ", Scale: "no"}
)
