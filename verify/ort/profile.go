package ort

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// NodeRun sums a profile up for one node on one provider.
type NodeRun struct {
	Node     string        // the node's name in the graph, after fusion
	Op       string        // the operator that ran
	Provider string        // as the runtime spells it: "CPUExecutionProvider"
	Runs     int           // how often
	Time     time.Duration // in all
}

// NodeRuns reads a profile that a session wrote ([Session.Profile]) and tells
// which provider ran each node, ordered by node, operator and provider. Nodes
// that no run reached are not in it.
func NodeRuns(profilePath string) ([]NodeRun, error) {
	text, err := os.ReadFile(profilePath)
	if err != nil {
		return nil, fmt.Errorf("ort: profile: %w", err)
	}
	events, err := readEvents(text)
	if err != nil {
		return nil, fmt.Errorf("ort: profile %s: %w", profilePath, err)
	}
	const suffix = "_kernel_time"
	type key struct{ node, op, provider string }
	sums := map[key]*NodeRun{}
	for _, e := range events {
		node, isRun := strings.CutSuffix(e.Name, suffix)
		if e.Category != "Node" || !isRun {
			continue
		}
		k := key{node, e.Args.Op, e.Args.Provider}
		if sums[k] == nil {
			sums[k] = &NodeRun{Node: k.node, Op: k.op, Provider: k.provider}
		}
		sums[k].Runs++
		sums[k].Time += time.Duration(e.Micros) * time.Microsecond
	}
	if len(sums) == 0 {
		return nil, fmt.Errorf("ort: profile %s: no node ran: run the session before it is closed", profilePath)
	}
	runs := make([]NodeRun, 0, len(sums))
	for _, r := range sums {
		runs = append(runs, *r)
	}
	slices.SortFunc(runs, func(a, b NodeRun) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Provider, b.Provider))
	})
	return runs, nil
}

var profiles atomic.Int64

// profilePrefix makes a prefix that no other session's profile has: the
// runtime adds the time to it, in whole seconds.
func profilePrefix(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	return filepath.Join(dir, fmt.Sprintf("ort-%d-%d_", os.Getpid(), profiles.Add(1))), nil
}

// globEscape quotes what has a meaning in a pattern of filepath.Glob.
func globEscape(path string) string {
	if filepath.Separator == '\\' {
		return path // nothing can be quoted there
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
