package posenc

var hybridEncoding = Encoding{Name: "hybrid", Title: "GRAPE-M and a bias, to train", Paper: "2512.07805",
	Angle: "t θ_{h,p}, and the variant's b", Variants: []string{"grape-a:key", "grape-a:query", "grape-a:querykey", "grape-ap", "fox", "alibi", "kerple:power", "kerple:log"}, Slope: true, Scale: "no"}
