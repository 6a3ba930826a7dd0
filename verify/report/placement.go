package report

import (
	"fmt"
	"strings"
)

// Placement is where ONNX Runtime ran the nodes of one session: a row per
// provider.
type Placement struct {
	Runner string `json:"runner"`
	Level  string `json:"level"`
	// Provider is as the runtime spells it: "CPUExecutionProvider".
	Provider string `json:"provider"`
	// Nodes is how many nodes of the optimised graph ran there, Ops how many of
	// each operator.
	Nodes int            `json:"nodes"`
	Ops   map[string]int `json:"ops"`
}

// placed is a line per runner: how many nodes ran on which provider, by level.
func (r *Report) placed() []string {
	var lines []string
	last := ""
	for _, p := range r.Placement {
		text := fmt.Sprintf("%d nodes on %s (%s)", p.Nodes, strings.TrimSuffix(p.Provider, "ExecutionProvider"), p.Level)
		if p.Runner != last {
			lines, last = append(lines, p.Runner+": "+text), p.Runner
			continue
		}
		lines[len(lines)-1] += ", " + text
	}
	return lines
}
