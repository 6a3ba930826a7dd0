package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pecvt/pecvt/cmd/pecvt/batch"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc"
)

// batchVerbs are the verbs that a job may be.
var batchVerbs = []string{"inspect", "import", "convert", "export", "verify", "eval"}

func newBatch(a *app) *cobra.Command {
	var runner, environment, serve, records, page string
	var workers, threads int
	var resume bool
	cmd := &cobra.Command{
		Use:   "batch JOBS.yaml",
		Short: "run many conversions, exports and verifications as one pipeline",
		Long: `batch runs the jobs of a file as a pipeline of Apache Beam: command lines of
inspect, import, convert, export, verify and eval. All of them are checked before
anything starts. A job waits for those that write what it reads.

The sequences of an eval, and the layers of a convert --calibrate, are parts that all
workers share: figures and bytes are those of the command.

A job whose target is there, made by the same command line from the same files, is
kept, so that the same command finishes what was interrupted. One that fails in a
way that may pass is tried three times. What becomes of each job is in one report,
and the exit code is that of the worst: docs/scale.md has the file's form and the
order of the codes.

The runner is Prism, which is inside of this program, or a job server of Beam
(Flink, Spark). The jobs run in this process, or with --environment in others, on
machines that share the folder where the batch is begun.`,
		Example: `  pecvt batch jobs.yaml
  pecvt batch jobs.yaml --workers 4 --report jobs.html --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if serve == "" {
				return exactly("JOBS.yaml")(cmd, args)
			}
			return workersArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if workers < 1 {
				return usagef("--workers %d: expected 1 or more", workers)
			}
			if threads < 0 {
				return usagef("--threads %d: expected 1 or more, or 0 for the processors divided by --workers", threads)
			}
			if serve != "" {
				return serveWorkers(cmd, a, serve, workers, threads)
			}
			if err := checkBatchRunner(runner); err != nil {
				return err
			}
			where, err := workersAt(environment, runner, workers, threads)
			if err != nil {
				return err
			}
			if err := checkOutFile("report", page); err != nil {
				return err
			}
			jobs, err := batchReader().Read(args[0])
			if err != nil {
				return fileError(err)
			}
			if records == "" {
				records = strings.TrimSuffix(args[0], filepath.Ext(args[0])) + ".records"
			}
			if err := os.MkdirAll(records, 0o777); err != nil {
				return err
			}
			levels, err := batch.Levels(jobs)
			if err != nil {
				return err
			}
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			begin := time.Now()
			plan := batch.Plan{
				Batch:  batch.Batch{Folder: records, Run: begin.UTC().Format(time.RFC3339Nano), Resume: resume, Dir: dir, Version: toolVersion()},
				Levels: levels, Runner: runner, Workers: workers, Environment: where, Say: lines(a, cmd.ErrOrStderr()),
			}
			finish := func() {}
			if where.Here() {
				finish = serveJobs(cmd.Context(), workers, threads, lines(a, cmd.ErrOrStderr()))
			}
			runErr := batch.Run(cmd.Context(), plan)
			finish()
			all, err := plan.Records(jobs)
			if err != nil {
				return errors.Join(runErr, err)
			}
			r := &batch.Report{File: args[0], Runner: runner, Workers: workers, Version: toolVersion(), Records: records, Seconds: time.Since(begin).Seconds(), Jobs: all}
			r.Count()
			if runErr != nil && cmd.Context().Err() == nil {
				return runErr
			}
			if runErr != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "interrupted: the same command goes on with what is not done")
			}
			if a.json {
				err = printJSON(cmd, r)
			} else {
				err = r.WriteText(cmd.OutOrStdout())
			}
			if page != "" {
				err = errors.Join(err, writeOutFile(page, r.WritePage))
			}
			if err == nil && r.ExitCode != exitOK {
				err = verdictError{r.ExitCode}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&runner, "runner", batch.Prism, "prism, or the `HOST:PORT` of a job server of Beam")
	f.IntVar(&workers, "workers", 2, "jobs, and parts of jobs, that run at once")
	f.IntVar(&threads, "threads", 0, "threads of ONNX Runtime in each (0: the processors divided by --workers)")
	f.StringVar(&environment, "environment", "loopback", "where --runner HOST:PORT has the jobs run: loopback (this process), `WHERE` external:HOST:PORT (--serve), or process:PATH (this program, there)")
	f.StringVar(&serve, "serve", "", "be workers, in place of JOBS.yaml: answer runners at the address `HOST:PORT` until interrupted")
	f.StringVar(&records, "records", "", "`DIR` with a record of each job, from which the next run knows what to keep (default: the file's name with .records)")
	f.BoolVar(&resume, "resume", false, "keep results of jobs without a target too: of inspect, verify and eval")
	f.StringVar(&page, "report", "", "write a page of the jobs to `FILE.html`")
	complete(cmd, "runner", []string{batch.Prism})
	complete(cmd, "environment", []string{"loopback", "external:", "process:"})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return cmd
}

// checkBatchRunner refuses what is neither Prism nor an address.
func checkBatchRunner(runner string) error {
	if runner == batch.Prism {
		return nil
	}
	if host, port, err := net.SplitHostPort(runner); err != nil || host == "" || port == "" {
		return usagef("--runner %q: expected %s, or the HOST:PORT of a job server of Beam%s", runner, batch.Prism, posenc.Nearest(runner, []string{batch.Prism}))
	}
	return nil
}

// fileError says of a fault in the file of jobs that the command line is at fault,
// unless the file cannot be read.
func fileError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file: expected a file of jobs", path.Path)
	}
	var fault *batch.Error
	if errors.As(err, &fault) {
		return usageError{err}
	}
	return err
}

// batchReader knows the verbs and their options, which are those of the commands.
func batchReader() batch.Reader {
	var known []batch.Verb
	for _, c := range verbs(&app{}) {
		if !slices.Contains(batchVerbs, c.Name()) {
			continue
		}
		v := batch.Verb{Name: c.Name(), Writes: c.Flags().Lookup("output") != nil, Several: c.Name() == "eval"}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "output" && f.Name != "help" {
				v.Flags = append(v.Flags, f.Name)
				if _, several := f.Value.(pflag.SliceValue); several {
					v.Lists = append(v.Lists, f.Name)
				}
			}
		})
		known = append(known, v)
	}
	return batch.Reader{Verbs: known, Check: func(args []string) error {
		_, err := (&app{checkOnly: true}).execute(context.Background(), args, io.Discard, io.Discard)
		return err
	}}
}

// runJob runs a command line in this process, beside others.
func runJob(ctx context.Context, a *app, args []string) batch.Outcome {
	var stdout, stderr bytes.Buffer
	code, err := a.execute(ctx, args, &stdout, &stderr)
	o := batch.Outcome{ExitCode: code, Stdout: stdout.Bytes(), Error: errorText(code, err)}
	for line := range strings.Lines(stderr.String()) {
		o.Said = append(o.Said, strings.TrimSuffix(line, "\n"))
	}
	o.Passing = code == exitError && mayPass(err)
	return o
}

// mayPass tells whether the same command line may end well a little later: what the
// system or a service said for now, not what is wrong with a model.
func mayPass(err error) bool {
	var number syscall.Errno
	if errors.As(err, &number) && (number.Temporary() || slices.Contains([]syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.ENOMEM, syscall.ESTALE}, number)) {
		return true
	}
	var connection *net.OpError
	var late net.Error // which every number of the system is too
	return errors.As(err, &connection) || errors.As(err, &late) && late.Timeout() || errors.Is(err, place.ErrGivenUp) || errors.Is(err, place.ErrChanged)
}

// lines writes progress of several jobs, line by line.
func lines(a *app, w io.Writer) func(string) {
	var mu sync.Mutex
	return func(text string) {
		if a.quiet {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(w, text)
	}
}
