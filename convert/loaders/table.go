package loaders

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// Kind is what a loader takes.
type Kind string

const (
	// Checkpoint: safetensors and config.json, of which it computes the model or
	// makes a file of its own.
	Checkpoint Kind = "checkpoint"
	// Graph: an ONNX graph.
	Graph Kind = "graph"
)

// Loader is a program that reads what pecvt writes.
type Loader struct {
	// Name is what --for takes, Version the one that was looked at.
	Name    string `json:"name"`
	Version string `json:"version"`
	Takes   Kind   `json:"takes"`
	// About says in a few words what it is.
	About string `json:"about"`
	// Types are the model types that it has, where it goes by a table of its own: it
	// refuses every other one. nil is all.
	Types []string `json:"types,omitempty"`
}

// Loaders returns the table of loaders, in the order documents list them.
func Loaders() []Loader {
	return []Loader{
		{"transformers5", "5.24.0", Checkpoint, "transformers, current", nil},
		{"transformers4", "4.57.6", Checkpoint, "transformers, the last of 4", nil},
		{"llama.cpp", "converter of llama-cpp-python 0.3.36, run in xllamacpp 2026.10", Checkpoint, "convert_hf_to_gguf.py and what runs its GGUF (LM Studio, llamafile)", nil},
		{"ollama", "source", Checkpoint, "ollama create from safetensors", nil},
		{"vllm", "0.32", Checkpoint, "vLLM", nil},
		{"sglang", "0.5.23", Checkpoint, "SGLang", nil},
		{"tgi", "source", Checkpoint, "text-generation-inference", nil},
		{"mlx", "mlx-lm 0.32.2, mlx 0.32.4", Checkpoint, "mlx-lm", nil},
		{"candle", "source", Checkpoint, "candle-transformers", nil},
		{"ctranslate2", "4.8.5", Checkpoint, "ctranslate2's converter", nil},
		{"onnxruntime", "1.32.0, 1.30.0, 1.24.4", Graph, "ONNX Runtime, CPU", nil},
		{"onnx", "1.23.2", Graph, "onnx's checker and reference, and tools that load by it", nil},
		{"onnxruntime-web", "1.30.0", Graph, "ONNX Runtime in WebAssembly", nil},
		{"transformers.js", "4.3.2", Graph, "transformers.js", webTypes},
		{"genai", "0.18", Graph, "onnxruntime-genai", nil},
		{"optimum", "2.3.0 with optimum-onnx 0.1.0", Graph, "optimum's ORTModelForCausalLM", nil},
		{"openvino", "2026.4.1", Graph, "OpenVINO, CPU", nil},
		{"onnxruntime-openvino", "1.24.1", Graph, "ONNX Runtime with OpenVINO's provider", nil},
		{"tract", "0.23.9", Graph, "tract", nil},
	}
}

// Find looks a loader up by its name. An unknown one is an error that lists the
// valid ones and the nearest.
func Find(name string) (Loader, error) {
	var names []string
	for _, l := range Loaders() {
		if l.Name == name {
			return l, nil
		}
		names = append(names, l.Name)
	}
	return Loader{}, fmt.Errorf("loader %q%s", name, posenc.Suggest(name, names))
}

// Outcome is what a loader makes of a form.
type Outcome string

const (
	// Right: the numbers are the encoding's.
	Right Outcome = "right"
	// Wrong: it computes something else, and no error says so.
	Wrong Outcome = "wrong in silence"
	// Refused: it stops.
	Refused Outcome = "refused"
	// Unknown: neither run nor read.
	Unknown Outcome = "unknown"
)

// How says how an outcome is known.
type How string

const (
	// Run: the loader was run on pecvt's output and its numbers compared.
	Run How = "run"
	// Read: the loader's source was read.
	Read How = "read"
)

// Form is a way to say an encoding, or to write a graph.
type Form struct {
	Name  string `json:"name"`
	Takes Kind   `json:"takes"`
	About string `json:"about"`
}

// The forms of checkpoints.
const (
	Default            = "default"
	Linear             = "linear"
	Dynamic            = "dynamic"
	YaRN               = "yarn"
	Llama3             = "llama3"
	LongRoPE           = "longrope"
	LongRoPEGain       = "longrope-gain"
	LongRoPETwo        = "longrope-two"
	Proportional       = "proportional"
	ProportionalScaled = "proportional-scaled"
	Partial            = "partial"
	Own                = "pecvt"
	GGUF               = "gguf"
	NewKeys            = "rope_parameters"
)

// The forms of graphs.
const (
	Standard = "standard"
	ORT      = "ort"
	Portable = "portable"
	Older    = "older"
	BFloat16 = "bfloat16"
	// InFloat16 and InBFloat16 are graphs that compute in 16 bits, whatever their form.
	InFloat16  = "in-float16"
	InBFloat16 = "in-bfloat16"
	// InInt4 are graphs with weights of ONNX's integers of 4 bits, of standard operators.
	InInt4 = "in-int4"
)

// Forms returns the table of forms.
func Forms() []Form {
	return []Form{
		{Default, Checkpoint, "plain RoPE"},
		{Linear, Checkpoint, "one factor for all planes"},
		{Dynamic, Checkpoint, "a base that follows the length"},
		{YaRN, Checkpoint, "YaRN"},
		{Llama3, Checkpoint, "a step in wavelength, or Llama 3.1's scaling"},
		{LongRoPE, Checkpoint, "a factor per plane, the same at every length"},
		{LongRoPEGain, Checkpoint, "longrope with an attention factor that the lengths do not give"},
		{LongRoPETwo, Checkpoint, "longrope with other factors beyond the trained length"},
		{Proportional, Checkpoint, "the fastest planes turn"},
		{ProportionalScaled, Checkpoint, "the fastest planes turn, slower by a factor"},
		{Partial, Checkpoint, "the partial layout: rows permuted, a smaller rotary dimension"},
		{Own, Checkpoint, "model type pecvt: frequencies per head, biases"},
		{NewKeys, Checkpoint, "a source's rope_parameters without the older keys beside it, which pecvt does not write"},
		{GGUF, Checkpoint, "a GGUF file: one spectrum as a base and factors per plane"},
		{Standard, Graph, "opset 23, functions of domain ai.pecvt, Attention"},
		{ORT, Graph, "attention as GroupQueryAttention, for ONNX Runtime"},
		{Portable, Graph, "as standard, with the functions inlined"},
		{BFloat16, Graph, "weights in bfloat16, whatever the form of the graph"},
		{InFloat16, Graph, "computes in float16, whatever the form of the graph"},
		{InBFloat16, Graph, "computes in bfloat16, whatever the form of the graph"},
		{InInt4, Graph, "weights as integers of 4 bits, of standard operators"},
		{Older, Graph, "operator sets 17 to 22: rotation, norms and attention written out, functions inlined"},
	}
}

// Row says what a loader makes of a form.
type Row struct {
	Loader string `json:"loader"`
	// Forms and Families are those it holds for; no Families is all of them.
	Forms    []string `json:"forms"`
	Families []string `json:"families,omitempty"`
	Outcome  Outcome  `json:"outcome"`
	How      How      `json:"how"`
	// Note says how it fails, or under what condition it is right.
	Note string `json:"note,omitempty"`
}

// Rows returns the table; of several rows that hold for a form and a family, the
// first one counts.
func Rows() []Row { return slices.Concat(checkpointRows(), graphRows()) }

// Verdict is what becomes of one result in one loader.
type Verdict struct {
	Loader  string  `json:"loader"`
	Version string  `json:"version"`
	Outcome Outcome `json:"outcome"`
	How     How     `json:"how,omitempty"`
	Note    string  `json:"note,omitempty"`
}

// Judge says what every loader of the form's kind makes of a result of a family;
// "" is no form, of which nothing is said.
func Judge(form, family string) []Verdict {
	if form == "" {
		return nil
	}
	var list []Verdict
	for _, l := range Loaders() {
		if l.Takes == kind(form) {
			list = append(list, judge(l, form, family))
		}
	}
	return list
}

// JudgeKeys is [Judge] of a configuration that says its rotation in rope_parameters
// alone: loaders that pass over that key compute another one, whatever the form,
// and of those that were not looked at with it nothing is known.
func JudgeKeys(form, family string) []Verdict {
	list := Judge(form, family)
	for i, v := range Judge(NewKeys, family) {
		if list != nil && v.Outcome != Right {
			list[i] = v
		}
	}
	return list
}

func judge(l Loader, form, family string) Verdict {
	v := Verdict{Loader: l.Name, Version: l.Version, Outcome: Unknown}
	for _, r := range Rows() {
		if r.Loader == l.Name && slices.Contains(r.Forms, form) && (r.Families == nil || slices.Contains(r.Families, family)) {
			v.Outcome, v.How, v.Note = r.Outcome, r.How, r.Note
			break
		}
	}
	if l.Types != nil && family != "" && v.Outcome == Right && !slices.Contains(l.Types, family) {
		v.Outcome, v.How, v.Note = Refused, Read, fmt.Sprintf("it has no model type %s", family)
	}
	return v
}

// kind returns what a form is of. It panics on a name that is no form.
func kind(form string) Kind {
	for _, f := range Forms() {
		if f.Name == form {
			return f.Takes
		}
	}
	panic(fmt.Sprintf("loaders: %q is no form", form))
}
