package rewrite

// loaders says, per rope type, who reads it. What a loader of another family or
// age does with it is its own matter; pecvt states what was checked.
func loaders(ropeType string) string {
	switch ropeType {
	case "default":
		return "every loader of the family"
	case "linear", "yarn", "llama3", "dynamic":
		return "loaders that read rope type " + ropeType + " (transformers 4.43 and later; most others)"
	case "proportional":
		return "transformers 5 (checked with 5.23); older ones stop at the unknown rope type; --spelling longrope for those"
	default:
		return "transformers 4.43 and later (checked with 5.23) and loaders that read longrope factors for the family"
	}
}
