package posenc

// Laws says what holds for a bias beside b_ii = 0, which holds for all.
type Laws struct {
	// NonPositive: b_ij <= 0 (for slopes and rates that are not negative).
	NonPositive bool
	// FallsByKey: for one query, an older key has no larger b. FallsByQuery:
	// for one key, a later query has no larger b.
	FallsByKey, FallsByQuery bool
	// PathSums: b_ij + b_jm = b_im for m <= j <= i.
	PathSums bool
	// Relative: moving all positions by one distance changes nothing.
	Relative bool
}

// BiasKind is one row of the table of biases.
type BiasKind struct {
	// Name identifies the row; Title says in a few words what it is.
	Name, Title string
	// Paper is an arXiv id.
	Paper string
	// Formula is b_ij.
	Formula string
	// Query and Key are the extra coordinates of the lowered form, before
	// digits and parts; empty where there is none.
	Query, Key string
	// State is what a cache carries beside keys and values; empty for nothing.
	State string
	Laws  Laws
}

// Biases returns the table of biases, in the order documents list them.
func Biases() []BiasKind {
	return []BiasKind{
		{Name: "alibi", Title: "linear in distance", Paper: "2108.12409", Formula: "−β_h (i − j)", Query: "β/scale", Key: "j",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true, Relative: true}},
		{Name: "alibi:falcon", Title: "ALiBi inside the scale, rounded to bfloat16", Paper: "2108.12409", Formula: "scale·(r(r(β_h) r(j)) − r(r(β_h) r(i)))", Query: "1", Key: "r(r(β) r(j))",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true}},
		{Name: "grape-a:key", Title: "ALiBi gated by the key", Paper: "2512.07805", Formula: "−(i − j) ω_h softplus(u_h·k_j/√d)", Query: "−i, 1", Key: "g_j/scale, j g_j/scale", State: "g per key and head",
			Laws: Laws{NonPositive: true, FallsByQuery: true, Relative: true}},
		{Name: "grape-a:query", Title: "ALiBi gated by the query", Paper: "2512.07805", Formula: "−(i − j) ω_h softplus(v_h·q_i/√d)", Query: "g_i/scale", Key: "j",
			Laws: Laws{NonPositive: true, FallsByKey: true, Relative: true}},
		{Name: "grape-a:querykey", Title: "ALiBi gated by query and key", Paper: "2512.07805", Formula: "−(i − j) ω_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d))", Query: "g_i/scale, −i, 1", Key: "j, g_j/scale, j g_j/scale", State: "g per key and head",
			Laws: Laws{NonPositive: true, Relative: true}},
		{Name: "grape-ap", Title: "path integral of gates between query and keys", Paper: "2512.07805", Formula: "Σ_{l=j+1..i} β_h log σ(<p_i, R_l p̂_l>/d_p)", State: "R p̂ per key and head",
			Laws: Laws{NonPositive: true, FallsByKey: true}},
		{Name: "fox", Title: "forgetting transformer", Paper: "2503.02130", Formula: "Σ_{l=j+1..i} log σ(w_h·x_l + c_h)", Query: "1", Key: "−F_j/scale", State: "running sum F per key and head",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true, Relative: true}},
		{Name: "kerple:log", Title: "logarithmic in distance", Paper: "2205.09921", Formula: "−r1_h log(1 + r2_h (i − j))",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, Relative: true}},
		{Name: "kerple:power", Title: "a power of distance", Paper: "2205.09921", Formula: "−r1_h (i − j)^r2_h",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, Relative: true}},
	}
}

// RotationKind is one row of the table of rotations.
type RotationKind struct {
	// Name identifies the row; Title says in a few words what it is.
	Name, Title string
	// Paper is an arXiv id.
	Paper string
	// Formula is the generator, or the angle of plane p.
	Formula string
	// Fold is what goes into W_q and W_k, so that planes alone remain.
	Fold string
	// State is what a cache carries beside keys and values; empty for nothing.
	State string
}

// Rotations returns the table of rotations, in the order documents list them.
func Rotations() []RotationKind {
	return []RotationKind{
		{Name: "rotary", Title: "one spectrum for all heads: RoPE, HoPE, NoPE, PI, YaRN, …", Paper: "2104.09864", Formula: "t θ_p"},
		{Name: "grape-m", Title: "learned spectra, shared or per head", Paper: "2512.07805", Formula: "−t θ_{h,p}", Fold: "the second coordinates' sign"},
		{Name: "grape-m:basis", Title: "planes in a learned orthogonal basis", Paper: "2512.07805", Formula: "L = B Σ_p θ_p U_p J U_pᵀ Bᵀ", Fold: "Bᵀ"},
		{Name: "grape-m:rank-2", Title: "one plane from two vectors", Paper: "2512.07805", Formula: "L = a bᵀ − b aᵀ", Fold: "[a, b⊥, complement]ᵀ"},
		{Name: "grape-m:subspace", Title: "non-commuting generator in a subspace", Paper: "2512.07805", Formula: "L = E L_r Eᵀ", Fold: "[E Q, E⊥]ᵀ"},
		{Name: "grape-m:context", Title: "contextual phase", Paper: "2512.07805", Formula: "Φ_t θ_p, Φ_t = Σ_{τ<t} σ((w·x_τ + b)/c)", State: "Φ per head or shared"},
		{Name: "liere", Title: "dense skew generator per head", Paper: "2406.10322", Formula: "L = −Lᵀ", Fold: "Qᵀ"},
		{Name: "axial", Title: "planes split among two or three axes", Paper: "2512.07805", Formula: "Σ_axes t_axis θ_{axis,p}"},
	}
}
