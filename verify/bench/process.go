package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/pecvt/pecvt/verify/ort"
)

// process is a folder's own.
type process struct {
	dir    string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

// start runs Config.Worker for a folder.
func start(ctx context.Context, worker []string, dir string) (*process, error) {
	p := &process{dir: dir, cmd: exec.CommandContext(ctx, worker[0], worker[1:]...)}
	p.cmd.Stderr = &p.stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: the process of %s: %w", dir, err)
	}
	return p, nil
}

// ask has a piece of work done.
func (p *process) ask(ctx context.Context, r request) (answer, error) {
	var a answer
	raw, err := json.Marshal(r)
	if err == nil {
		_, err = p.in.Write(append(raw, '\n'))
	}
	if err == nil && !p.out.Scan() {
		err = errors.Join(p.out.Err(), fmt.Errorf("it ended: %s", bytes.TrimSpace(p.stderr.Bytes())))
	}
	if err == nil {
		err = json.Unmarshal(p.out.Bytes(), &a)
	}
	switch {
	case ctx.Err() != nil:
		return a, ctx.Err()
	case err != nil:
		return a, fmt.Errorf("bench: the process of %s: %w", p.dir, err)
	case a.Error != "":
		return a, said{a.Error, a.Unavailable}
	}
	return a, nil
}

// said is an error of a folder's process.
type said struct {
	text        string
	unavailable bool
}

func (e said) Error() string { return e.text }

func (e said) Is(target error) bool { return e.unavailable && target == ort.ErrUnavailable }

// end lets the process end, and returns its peak memory.
func (p *process) end() int64 {
	p.in.Close()
	_ = p.cmd.Wait() // what it did was answered
	return peakOf(p.cmd.ProcessState)
}
