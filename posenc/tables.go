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
	// Name identifies the row.
	Name string
	// Paper is an arXiv id.
	Paper string
	// Formula is b_ij.
	Formula string
	Laws    Laws
}

// Biases returns the table of biases, linear ones first.
func Biases() []BiasKind {
	return []BiasKind{
		{Name: "alibi", Paper: "2108.12409", Formula: "−β_h (i − j)",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true, Relative: true}},
		{Name: "alibi:falcon", Paper: "2108.12409", Formula: "scale·(r(r(β_h) r(j)) − r(r(β_h) r(i)))",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true}},
		{Name: "grape-a:key", Paper: "2512.07805", Formula: "−(i − j) ω_h softplus(u_h·k_j/√d)",
			Laws: Laws{NonPositive: true, FallsByQuery: true, Relative: true}},
		{Name: "grape-a:query", Paper: "2512.07805", Formula: "−(i − j) ω_h softplus(v_h·q_i/√d)",
			Laws: Laws{NonPositive: true, FallsByKey: true, Relative: true}},
		{Name: "grape-a:querykey", Paper: "2512.07805", Formula: "−(i − j) ω_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d))",
			Laws: Laws{NonPositive: true, Relative: true}},
		{Name: "grape-ap", Paper: "2512.07805", Formula: "Σ_{l=j+1..i} β_h log σ(<p_i, R_l p̂_l>/d_p)",
			Laws: Laws{NonPositive: true, FallsByKey: true}},
		{Name: "fox", Paper: "2503.02130", Formula: "Σ_{l=j+1..i} log σ(w_h·x_l + c_h)",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, PathSums: true, Relative: true}},
		{Name: "kerple:log", Paper: "2205.09921", Formula: "−r1_h log(1 + r2_h (i − j))",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, Relative: true}},
		{Name: "kerple:power", Paper: "2205.09921", Formula: "−r1_h (i − j)^r2_h",
			Laws: Laws{NonPositive: true, FallsByKey: true, FallsByQuery: true, Relative: true}},
	}
}
