package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
)

// The tests here start this test's program again: as a job server of its own, as a pool
// of workers, and, by the job server, as a worker. A worker's job prints its process.
const (
	serverVariable = "PECVT_TEST_SERVER" // a port
	poolVariable   = "PECVT_TEST_POOL"   // a port
	workerVariable = "PECVT_TEST_WORKER" // the version
	testSecret     = "the secret of a test"
)

// otherProcess is what the program is when it was started again; it does not return then.
func otherProcess() {
	ctx := context.Background()
	worker := Worker{Run: otherJob, Say: func(string) {}, Version: os.Getenv(workerVariable)}
	switch {
	case os.Getenv(workerVariable) != "" && os.Getenv(poolVariable) == "":
		finish := Serve(ctx, worker, 1)
		given := map[string]string{}
		for _, a := range os.Args[1:] {
			name, value, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
			given[name] = strings.Trim(value, "'")
		}
		_ = RunWorker(ctx, given["id"], given["provision_endpoint"])
		finish()
	case os.Getenv(poolVariable) != "":
		Serve(ctx, worker, 1)
		if _, err := NewPool(ctx, "localhost:"+os.Getenv(poolVariable), testSecret); err != nil {
			panic(err)
		}
		select {}
	case os.Getenv(serverVariable) != "":
		port := 0
		_, _ = fmt.Sscan(os.Getenv(serverVariable), &port)
		if _, err := prism.CreateJobServer(ctx, prism.Options{Port: port}); err != nil {
			panic(err)
		}
		select {}
	default:
		return
	}
	os.Exit(0)
}

// otherJob says which process runs it; the first time, a model "dies" ends that.
func otherJob(_ context.Context, args []string) Outcome {
	model := args[len(args)-1]
	if model == "dies" && os.WriteFile("died", nil, 0o666) == nil && os.Link("died", "died-once") == nil {
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	text, _ := json.Marshal(os.Getpid())
	return Outcome{Stdout: text}
}

// again starts this program with a variable that says what it is, on a free port.
func again(t *testing.T, variable string, more ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), variable+"="+port), more...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	address = "localhost:" + port
	for range 600 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: nobody answers", variable)
	return ""
}

// runElsewhere runs jobs by a job server of its own, with workers in other processes.
func runElsewhere(t *testing.T, bound time.Duration, server string, where Environment, jobs ...Job) ([]*Record, []string, error) {
	t.Helper()
	levels, err := Levels(jobs)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	p := Plan{Batch: Batch{Folder: "records", Run: time.Now().Format(time.RFC3339Nano), Version: "1"}, Levels: levels, Runner: server, Environment: where,
		Say: func(text string) { said = append(said, text) }}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	err = Run(ctx, p)
	records, recordsErr := p.Records(jobs)
	if recordsErr != nil {
		t.Fatal(recordsErr)
	}
	return records, said, err
}

// TestElsewhere: workers that the runner starts, and workers of a pool, do the jobs in
// their processes; one that dies is replaced, and what had ended is not run again. Where the
// runner does not see the death, the batch can be stopped and done again.
func TestElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("records", 0o777); err != nil {
		t.Fatal(err)
	}
	server := again(t, serverVariable)
	pool := again(t, poolVariable, workerVariable+"=1")
	for name, where := range map[string]Environment{
		"process": {Process: os.Args[0], Env: map[string]string{workerVariable: "1"}},
		"pool":    {Pool: pool, Secret: testSecret},
	} {
		records, _, err := runElsewhere(t, 2*time.Minute, server, where, job("a", "m"), job("b", "m", "a"))
		if err != nil || ends(records) != "a done, b done" {
			t.Fatalf("%s: %s: %v", name, ends(records), err)
		}
		if pid := string(records[1].Result); pid == fmt.Sprint(os.Getpid()) || pid == "" {
			t.Errorf("%s: run by process %s, this one", name, pid)
		}
	}
	where := Environment{Process: os.Args[0], Env: map[string]string{workerVariable: "1"}}
	jobs := []Job{job("a", "m"), job("b", "dies", "a"), job("c", "m", "b")}
	records, said, err := runElsewhere(t, 20*time.Second, server, where, jobs...)
	if errors.Is(err, context.DeadlineExceeded) { // Prism misses a worker's death at times, and waits
		t.Log("Prism waits for the worker that died")
		if got := ends(records); got != "a done, b interrupted, c not started" {
			t.Errorf("stopped: %s", got)
		}
		if records, _, err = runElsewhere(t, 2*time.Minute, again(t, serverVariable), where, jobs...); err != nil || ends(records) != "a done, b done, c done" {
			t.Errorf("again: %s: %v", ends(records), err)
		}
		return
	}
	if err != nil || ends(records) != "a done, b done, c done" || len(said) != 1 || !strings.HasSuffix(said[0], ": what is not done is handed out again") {
		t.Fatalf("a worker that dies: %s: %v, said %q", ends(records), err, said)
	}
	if string(records[0].Result) == string(records[2].Result) {
		t.Error("the job that had ended was run again")
	}
}

// TestWorkerRefuses: workers of another version, or that do not see the batch's folder,
// end the batch, with one try.
func TestWorkerRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("records", 0o777); err != nil {
		t.Fatal(err)
	}
	server := again(t, serverVariable)
	_, said, err := runElsewhere(t, 2*time.Minute, server, Environment{Process: os.Args[0], Env: map[string]string{workerVariable: "2"}}, job("a", "m"))
	if err == nil || !strings.Contains(err.Error(), "it is pecvt 2, the batch was begun by 1: expected one version") || len(said) > 0 {
		t.Errorf("another version: %v, said %q", err, said)
	}
	p := &process{}
	for want, b := range map[string]Batch{
		"there is no folder":                  {Version: "1", Dir: filepath.Join(t.TempDir(), "none"), Folder: "records"},
		"the records of the batch are not in": {Version: "1", Dir: t.TempDir(), Folder: "records"},
	} {
		if err := p.settle(b, Worker{Version: "1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestPoolSecret: a pool gives no worker to whoever has not its secret.
func TestPoolSecret(t *testing.T) {
	p, err := NewPool(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	other, err := NewPool(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if len(p.secret) < 20 || p.secret == other.secret {
		t.Errorf("secrets %q and %q", p.secret, other.secret)
	}
	for _, secret := range []string{"", "x", other.secret} {
		if got := askWorker(t, p.Address(), secret); !strings.Contains(got, "secret is another one") {
			t.Errorf("secret %q: %q", secret, got)
		}
	}
	if got := askWorker(t, p.Address(), p.secret); !strings.Contains(got, "expected endpoints") {
		t.Errorf("the right secret: %q", got)
	}
}

// TestOneBatch: a folder of records is one batch's at a time.
func TestOneBatch(t *testing.T) {
	p := Plan{Batch: Batch{Folder: t.TempDir(), Run: "1"}}
	release, err := p.claim()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.claim(); err == nil || !strings.Contains(err.Error(), "another batch writes its records to "+p.Folder+", which is in use by process ") {
		t.Errorf("error %v", err)
	}
	release()
	if release, err = p.claim(); err != nil {
		t.Fatal(err)
	}
	release()
	if left, err := os.ReadDir(p.Folder); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
