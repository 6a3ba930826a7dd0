package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/batch"
	"github.com/pecvt/pecvt/posenc"
)

// secretVariable has the secret that workers of --serve ask for, on both sides.
const secretVariable = "PECVT_BATCH_SECRET"

// leastSecret is how many characters it has at least.
const leastSecret = 16

// workerVariable makes the program a worker of a runner that started it: it has the
// numbers of --workers and --threads.
const workerVariable = "PECVT_BATCH_WORKER"

// serveJobs takes jobs from a runner from now on; finish waits for those that run.
func serveJobs(ctx context.Context, workers, threads int, say func(string)) (finish func()) {
	if threads == 0 {
		threads = max(1, runtime.GOMAXPROCS(0)/workers)
	}
	here := batchRunner{threads: threads, kept: &kept{most: workers}}
	done := batch.Serve(ctx, batch.Worker{Run: here.run, Parts: here, Say: say, Version: toolVersion()}, workers)
	return func() {
		done()
		_ = here.kept.drop("") // the models of jobs that were stopped
	}
}

// workersAt reads --environment.
func workersAt(text, runner string, workers, threads int) (batch.Environment, error) {
	where, err := batch.ParseEnvironment(text)
	if err != nil {
		return where, usagef("--environment %w%s", err, posenc.Nearest(text, []string{"loopback", "external", "process"}))
	}
	if where.Here() {
		return where, nil
	}
	if runner == batch.Prism {
		return where, usagef("--environment %s: the runner inside of this program has its workers here: give a job server with --runner HOST:PORT too", text)
	}
	if where.Pool != "" {
		if host, port, err := net.SplitHostPort(where.Pool); err != nil || host == "" || port == "" {
			return where, usagef("--environment %s: expected external:HOST:PORT", text)
		}
		if where.Secret, err = workersSecret(); err != nil {
			return where, err
		}
		return where, nil
	}
	where.Env = map[string]string{workerVariable: fmt.Sprintf("%d,%d", workers, threads)}
	return where, nil
}

// workersSecret reads the secret of --serve.
func workersSecret() (string, error) {
	secret := os.Getenv(secretVariable)
	if len(secret) < leastSecret {
		return "", usagef("%s has %d characters: expected the secret of the workers, %d or more, the same there and here: whoever can ask for a worker can run jobs", secretVariable, len(secret), leastSecret)
	}
	return secret, nil
}

// workersArgs refuses what has no use with --serve.
func workersArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("--serve takes no JOBS.yaml: jobs come from a runner")
	}
	for _, name := range []string{"runner", "environment", "records", "resume", "report"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s has no use with --serve", name)
		}
	}
	return nil
}

// serveWorkers is batch --serve.
func serveWorkers(cmd *cobra.Command, a *app, address string, workers, threads int) error {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return usagef("--serve %q: expected HOST:PORT, where HOST is this machine's", address)
	}
	secret, err := workersSecret()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	say := lines(a, cmd.ErrOrStderr())
	finish := serveJobs(ctx, workers, threads, say)
	pool, err := batch.NewPool(ctx, address, secret)
	if err != nil {
		finish()
		return err
	}
	say("workers at " + pool.Address())
	<-ctx.Done()
	pool.Close()
	finish()
	return ctx.Err()
}

// runnersWorker is the program as a worker that a runner has started, with the numbers
// of workers and threads in its environment and the arguments of Beam's protocol.
func runnersWorker(ctx context.Context, numbers string, args []string, stderr io.Writer) int {
	workers, threads, ok := 0, 0, false
	if a, b, found := strings.Cut(numbers, ","); found {
		var errA, errB error
		workers, errA = strconv.Atoi(a)
		threads, errB = strconv.Atoi(b)
		ok = errA == nil && errB == nil && workers > 0 && threads >= 0
	}
	given := map[string]string{}
	for _, arg := range args {
		if name, value, found := strings.Cut(strings.TrimLeft(arg, "-"), "="); found {
			given[name] = strings.Trim(value, "'") // Prism's quotes
		}
	}
	var err error
	if !ok || given["id"] == "" || given["provision_endpoint"] == "" {
		err = fmt.Errorf("%s=%s makes this a worker of a runner of Beam: expected two numbers, and the arguments --id=ID --provision_endpoint=HOST:PORT; found %q", workerVariable, numbers, args)
	} else {
		finish := serveJobs(ctx, workers, threads, lines(&app{}, stderr))
		err = batch.RunWorker(ctx, given["id"], given["provision_endpoint"])
		finish()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "pecvt: %v\n", err)
		return exitError
	}
	return exitOK
}
