package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFaults: whatever is done to a command, the source stays, the target is absent or
// whole, at most one temporary folder is left, and the same command then makes the same
// bytes and leaves nothing.
func TestFaults(t *testing.T) {
	kills, all := long()
	layers := 1
	if all {
		layers = 6
	}
	b := newBench(t, layers)
	jobs := b.jobs()
	if !all { // the ones that differ most
		jobs = []*job{jobs[0], jobs[2], jobs[3], jobs[4], jobs[7], jobs[9]}
	}
	for _, j := range jobs {
		b.prepare(j)
	}
	sources := b.digest(b.sources)
	rng := rand.New(rand.NewPCG(17, uint64(kills)))
	var rows []*row
	for i, j := range jobs {
		r := &row{job: j.name, fault: "SIGKILL at a drawn moment"}
		for range (kills + len(jobs) - 1 - i) / len(jobs) {
			b.trial(r, j, sources, b.signalled(j, syscall.SIGKILL, time.Duration(rng.Float64()*float64(j.took))), false)
		}
		rows = append(rows, r)
	}
	if all {
		for _, j := range jobs {
			rows = append(rows, b.asked(j, sources, rng), b.stopped(j, sources, rng))
		}
		rows = append(rows, b.calls(jobs, sources, rng)...)
		rows = append(rows, b.disks(jobs)...)
	}
	midway := 0
	for _, r := range rows {
		midway += r.midway
		if r.bad() {
			t.Errorf("%+v", *r)
		}
	}
	if midway == 0 {
		t.Error("no fault met a run: the trials show nothing")
	}
	if os.Getenv("PECVT_FAULTS_TABLE") != "" && !t.Failed() {
		if err := writeTable(filepath.Join(repository, "docs", "reliability.md"), "faults", fmt.Sprintf("make faults FAULTS=%d", kills), rows); err != nil {
			t.Fatal(err)
		}
	}
}

// signalled runs a job and sends it a signal after a while.
func (b *bench) signalled(j *job, s syscall.Signal, after time.Duration) error {
	cmd := b.command(append([]string{b.pecvt}, j.args...)...)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Signal(s) })
	defer timer.Stop()
	return cmd.Wait()
}

// asked ends runs by signals that ask: they tidy up.
func (b *bench) asked(j *job, sources string, rng *rand.Rand) *row {
	r := &row{job: j.name, fault: "SIGINT, SIGTERM"}
	for i := range 6 {
		s := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[i%2]
		// a process that has not come to its first line dies of the signal, and has made nothing
		b.trial(r, j, sources, b.signalled(j, s, 10*time.Millisecond+time.Duration(rng.Float64()*float64(j.took))), true)
	}
	return r
}

// stopped stops a run, lets another one run beside it, which must leave the stopped one's
// folder alone, and kills it.
func (b *bench) stopped(j *job, sources string, rng *rand.Rand) *row {
	r := &row{job: j.name, fault: "SIGSTOP, another run, SIGKILL"}
	for range 3 {
		cmd := b.command(append([]string{b.pecvt}, j.args...)...)
		if err := cmd.Start(); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.Float64() * float64(j.took)))
		cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(20 * time.Millisecond)
		before := strings.Join(b.left(), " ")
		other := filepath.Join(b.out, "other")
		if text, err := b.run("convert", filepath.Join(b.sources, "small"), "--to", "nope", "--no-onnx", "-o", other); err != nil {
			b.t.Errorf("beside a stopped run: %v\n%s", err, text)
		}
		if err := os.RemoveAll(other); err != nil {
			b.t.Fatal(err)
		}
		if after := strings.Join(b.left(), " "); before != after {
			b.t.Errorf("%s: another run made %q of the stopped one's %q", j.name, after, before)
			r.half++
		}
		cmd.Process.Kill()
		b.trial(r, j, sources, cmd.Wait(), false)
	}
	return r
}

// injections are what a system call of a run may answer, by strace: N is drawn.
var injections = []struct {
	calls, answer string
	times         int
	untidy        bool // what fails is what tidies up
}{
	{"write,pwrite64", "error=EIO:when=N", 4, false},
	{"write,pwrite64", "error=ENOSPC:when=N+", 3, false},
	{"copy_file_range", "error=EIO:when=N", 3, false},
	{"copy_file_range", "error=ENOSPC:when=N", 2, false},
	{"copy_file_range", "error=EXDEV:when=N+", 1, false},
	{"openat", "error=EIO:when=N", 4, false},
	{"openat", "error=EMFILE:when=N", 2, false},
	{"read,pread64", "error=EIO:when=N", 4, false},
	{"mkdirat", "error=EROFS:when=1", 1, false},
	{"mkdirat", "error=ENOSPC:when=2", 1, false},
	{"ftruncate", "error=EIO:when=1", 1, false},
	{"flock", "error=ENOLCK:when=1+", 1, false},
	{"renameat2", "error=EIO:when=1", 1, false},
	{"renameat2", "error=EINVAL:when=1+", 1, false},
	{"renameat,rename", "error=EIO:when=1", 1, false},
	{"renameat,rename", "error=EIO:when=2", 1, false},
	{"linkat", "error=EPERM:when=1+", 1, false},
	{"fsync", "error=EIO:when=1", 1, false},
	{"close", "error=EIO:when=N+", 3, true},
	{"unlinkat", "error=EIO:when=N", 2, true},
	{"getdents64", "error=EIO:when=N", 1, true},
	{"write,pwrite64", "signal=KILL:when=N", 3, true},
	{"copy_file_range", "signal=KILL:when=1", 1, true},
	{"renameat2", "signal=KILL:when=1", 1, true},
	{"renameat,rename", "signal=KILL:when=1", 1, true},
	{"unlinkat", "signal=KILL:when=N", 2, true},
	{"mkdirat", "signal=KILL:when=N", 2, true},
	{"flock", "signal=KILL:when=1", 1, true},
}

// calls has system calls of each job fail, and kills it at some.
func (b *bench) calls(jobs []*job, sources string, rng *rand.Rand) (rows []*row) {
	if text, err := exec.Command("strace", "-f", "-e", "inject=fsync:error=EIO", "true").CombinedOutput(); err != nil {
		b.t.Fatalf("system calls are made to fail by strace (Debian: strace), which does not run here: %v\n%s", err, text)
	}
	for _, in := range injections {
		r := &row{job: "all of them", fault: fmt.Sprintf("%s: %s", strings.ReplaceAll(in.calls, ",", ", "), strings.TrimSuffix(strings.Replace(in.answer, "error=", "", 1), ":when=N"))}
		for _, j := range jobs {
			for range in.times {
				n := fmt.Sprint(1 + int(rng.ExpFloat64()*12))
				rule := "inject=" + in.calls + ":" + strings.Replace(in.answer, "when=N", "when="+n, 1)
				cmd := b.command(append([]string{"strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=" + in.calls, "-e", rule, b.pecvt}, j.args...)...)
				b.trial(r, j, sources, cmd.Run(), false)
			}
		}
		r.fault = strings.NewReplacer(":when=1+", ", every time", ":when=N+", ", from a drawn one on", ":when=1", ", the first", ":when=2", ", the second", "signal=KILL", "SIGKILL").Replace(r.fault)
		rows = append(rows, r)
	}
	return rows
}

// disks has targets on a disk that is full, and one that cannot be written to.
func (b *bench) disks(jobs []*job) (rows []*row) {
	out := b.out
	defer func() { b.out = out }()
	full, readonly := &row{job: "all of them", fault: "a full disk"}, &row{job: "all of them", fault: "a disk that is read-only"}
	for _, j := range jobs {
		for _, r := range []*row{full, readonly} {
			small := b.t.TempDir()
			options := uintptr(0)
			if r == readonly {
				options = syscall.MS_RDONLY
			}
			if err := syscall.Mount("tmpfs", small, "tmpfs", options, "size=512k"); err != nil {
				b.t.Fatalf("a small disk is a tmpfs, which this user may not mount (root may): %v", err)
			}
			args := append(j.args[:len(j.args)-1:len(j.args)-1], filepath.Join(small, j.target))
			text, err := b.run(args...)
			r.trials++
			if err != nil {
				r.midway++
			}
			left, lerr := os.ReadDir(small)
			if lerr != nil {
				b.t.Fatal(lerr)
			}
			for _, e := range left {
				if e.Name() != j.keeps && err != nil {
					r.half++
					b.t.Errorf("%s, %s: %s is left\n%s", j.name, r.fault, e.Name(), text)
				}
			}
			if err := syscall.Unmount(small, 0); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return []*row{full, readonly}
}
