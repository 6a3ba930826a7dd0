package report

// Facts are what a report says of the model beside its checks.
type Facts struct {
	DType   string `json:"dtype"`
	Layers  int    `json:"layers"`
	Hidden  int    `json:"hidden"`
	Heads   int    `json:"heads"`
	KVHeads int    `json:"kv_heads"`
	HeadDim int    `json:"head_dim"`
	Vocab   int    `json:"vocab"`
	// Encoding names what the layers do, RopeType and Theta are config.json's.
	Encoding  string  `json:"encoding"`
	RopeType  string  `json:"rope_type,omitempty"`
	Theta     float64 `json:"theta,omitempty"`
	RotaryDim int     `json:"rotary_dim"`
	// Turning counts the planes that turn, of Planes, in the first layer that
	// has any.
	Turning int `json:"turning"`
	Planes  int `json:"planes"`
	// AttentionFactor multiplies cos and sin; 1 is none.
	AttentionFactor float64 `json:"attention_factor"`
	Window          int     `json:"window,omitempty"`
	TrainedLength   int     `json:"trained_length"`
	// MaxLength is the length of the graph's tables.
	MaxLength int `json:"max_length"`
}
