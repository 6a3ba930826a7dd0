package report

// Curves are the data behind a report's figures, made where Options.Curves
// asks. None of it is judged: what is judged is in the checks.
type Curves struct {
	// ByPosition is the error of each runner's answers position by position.
	ByPosition []PositionError `json:"by_position,omitempty"`
	// ByLayer is the error of the residual stream after each layer.
	ByLayer []LayerError `json:"by_layer,omitempty"`
	// Spectrum lists the planes of each spectrum that differs from those of the
	// layers before, against SpectrumFrom: "source" (--against) or "base", the
	// spectrum without any scaling or cut that config.json's base gives.
	Spectrum     []PlaneRow `json:"spectrum,omitempty"`
	SpectrumFrom string     `json:"spectrum_from,omitempty"`
	// Decay is the score without softmax over the distance of query and key.
	Decay []DecayRow `json:"decay,omitempty"`
	// Drift is the distance from the source position by position, rows averaged;
	// beyond driftPoints positions it is left out.
	Drift []DriftPoint `json:"drift,omitempty"`
}

// PositionError is max |got − want| over the vocabulary at one position, over
// the largest |want| of the check.
type PositionError struct {
	Check    string `json:"check"`
	Runner   string `json:"runner"`
	Level    string `json:"level,omitempty"`
	Position int    `json:"position"`
	MaxRel   Number `json:"max_rel"`
}

// LayerError is max |got − want| of the residual stream over its largest
// |want|. Layer counts from 0, the embedding; i is the output of layer i − 1,
// and the last one has passed the final norm. Name says it in words.
type LayerError struct {
	Runner string `json:"runner"`
	Layer  int    `json:"layer"`
	Name   string `json:"name"`
	MaxRel Number `json:"max_rel"`
	Limit  Number `json:"limit"`
}

// PlaneRow is one plane of a layer's rotation.
type PlaneRow struct {
	// Layer is the first layer that has this spectrum, Head the first key/value
	// head (0 where heads share it).
	Layer int `json:"layer"`
	Head  int `json:"head"`
	Plane int `json:"plane"`
	// InvFreq is θ in radians per position, 0 for a plane that does not turn;
	// Source is that of Curves.SpectrumFrom.
	InvFreq Number `json:"inv_freq"`
	Source  Number `json:"source"`
	// Band is where Source lies against the trained length: high, activated or
	// top-low.
	Band string `json:"band"`
	// State is what became of the plane: kept, scaled, dropped (it stopped
	// turning), removed (it left the score) or still (it never turned).
	State string `json:"state"`
}

// DecayRow is the mean score over the distances From to To: Score and Source
// without content, Prompt and PromptSource for the mean query and the mean key of
// the prompt. Null is not known.
type DecayRow struct {
	From         int    `json:"from"`
	To           int    `json:"to"`
	Score        Number `json:"score"`
	Source       Number `json:"source"`
	Prompt       Number `json:"prompt"`
	PromptSource Number `json:"prompt_source"`
}

// DriftPoint is the distance from the source at one position.
type DriftPoint struct {
	Position int    `json:"position"`
	KL       Number `json:"kl"`
	Max      Number `json:"max_abs"`
}
