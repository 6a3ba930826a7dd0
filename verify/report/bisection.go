package report

// Bisection is where the graph's values first leave the budget.
type Bisection struct {
	// Check and Runner name the failure that was followed, or the check that was
	// walked through where nothing failed; Call counts the graph's calls in it
	// from 1 (pieces of a prompt, decode steps).
	Check  string `json:"check"`
	Runner string `json:"runner"`
	Call   int    `json:"call"`
	// Against is what the values are compared with: ref, or interp where the
	// interpreter runs the same graph right.
	Against string `json:"against"`
	// Limit is the budget of one value: max |got − want| / max |want|.
	Limit Number `json:"limit"`
	// Stages are the errors of what each stage hands on, in the order of the
	// graph, as far as the walk went.
	Stages []StageError `json:"stages"`
	// Stage is the first whose output leaves the budget: "embedding", "layer 3",
	// "head"; empty where none does.
	Stage string `json:"stage,omitempty"`
	// Node is the first of the stage's nodes whose output leaves the budget.
	Node *NodeFinding `json:"node,omitempty"`
	// Between lists nodes before Node that could not be told good from bad: the
	// fault is in one of them or in Node.
	Between []string `json:"between,omitempty"`
	// Good is the last value known to be right before Between.
	Good []string `json:"good,omitempty"`
	// Tensors are the weights and tables that Node reads.
	Tensors []TensorFinding `json:"tensors,omitempty"`
	// Magnified says that Node is right by itself: computed in float64 from the
	// inputs that it had it gives the same, so it magnifies what was within the
	// budget before it.
	Magnified bool `json:"magnified,omitempty"`
	// Nodes and Compared count the stage's nodes and those with a counterpart.
	Nodes    int `json:"nodes,omitempty"`
	Compared int `json:"compared,omitempty"`
	// Summary is the finding in a sentence, Advice what to do.
	Summary string `json:"summary"`
	Advice  string `json:"advice,omitempty"`
	// Extracted is the folder of the repro, where one was asked for.
	Extracted string `json:"extracted,omitempty"`
}

// StageError is the largest relative error of what a stage hands on: the
// residual stream and what it caches.
type StageError struct {
	Runner string `json:"runner"`
	Stage  string `json:"stage"`
	Call   int    `json:"call"`
	MaxRel Number `json:"max_rel"`
	Limit  Number `json:"limit"`
	// Value is the one that is farthest off.
	Value string `json:"value"`
}

// NodeFinding is a node, and what is known of the values around it.
type NodeFinding struct {
	Name       string         `json:"name"`
	Op         string         `json:"op"`
	Attributes []string       `json:"attributes,omitempty"`
	Inputs     []ValueFinding `json:"inputs"`
	Outputs    []ValueFinding `json:"outputs"`
	// Wiring tells of inputs that are not those that the emission joins here.
	Wiring []string `json:"wiring,omitempty"`
}

// ValueFinding is one value's error. State is "good", "bad", or "not compared";
// MaxRel has no meaning in the last case.
type ValueFinding struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // "value", "weight", "constant", "input"
	State  string `json:"state"`
	MaxRel Number `json:"max_rel"`
	// Worst says which element is farthest off, and what it is.
	Worst string `json:"worst,omitempty"`
}

// The states of a value.
const (
	StateGood = "good"
	StateBad  = "bad"
	StateNone = "not compared"
)

// TensorFinding is a weight or a constant behind a node.
type TensorFinding struct {
	// Name is the initialiser's in the graph, Input that of the node.
	Name  string `json:"name"`
	Input int    `json:"input"`
	// File holds bytes [Begin, End) of it; model.onnx, with no range, for data of
	// the graph's own.
	File  string `json:"file"`
	Begin int64  `json:"begin,omitempty"`
	End   int64  `json:"end,omitempty"`
	// Tensor is the one that the file's header has at Begin.
	Tensor string `json:"tensor,omitempty"`
	// Expected is the checkpoint's tensor that the node should read, where known.
	Expected string `json:"expected,omitempty"`
	State    string `json:"state"`
	MaxRel   Number `json:"max_rel"`
	Note     string `json:"note,omitempty"`
}
