package main

import (
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// TestTableLength: tables are roomy unless the rotation would change with them.
func TestTableLength(t *testing.T) {
	const head = `{"model_type":"llama","vocab_size":8,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8,"hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":`
	rope := func(s string) string { return `,"rope_parameters":{"rope_theta":1e4,"rope_type":` + s + `}}` }
	for name, c := range map[string]struct {
		config string
		want   int
	}{
		"default, short":      {head + "32" + rope(`"default"`), 4096},
		"default, long":       {head + "8192" + rope(`"default"`), 8192},
		"dynamic, short":      {head + "32" + rope(`"dynamic","factor":4`), 32},
		"dynamic, long":       {head + "8192" + rope(`"dynamic","factor":4`), 8192},
		"longrope, one kind":  {head + "8192" + rope(`"longrope","factor":4,"original_max_position_embeddings":2048,"short_factor":[2,2,2,2],"long_factor":[2,2,2,2]`), 8192},
		"longrope, two kinds": {head + "8192" + rope(`"longrope","factor":4,"original_max_position_embeddings":2048,"short_factor":[1,1,1,1],"long_factor":[2,2,2,2]`), 2048},
		"longrope, short":     {head + "32" + rope(`"longrope","factor":4,"original_max_position_embeddings":16,"short_factor":[1,1,1,1],"long_factor":[2,2,2,2]`), 16},
		"yarn":                {head + "64" + rope(`"yarn","factor":4,"original_max_position_embeddings":16`), 4096},
	} {
		o, err := family.ParseObject([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		m, err := family.FromConfig(&family.Config{Object: o, Path: name})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tableLength(m); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
}
