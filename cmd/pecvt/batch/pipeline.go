package batch

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/runnerlib"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"

	"github.com/pecvt/pecvt/convert/fsio"
)

// Prism is the runner inside this process.
const Prism = "prism"

// mostTries is how often a pipeline is handed to a runner whose workers are elsewhere:
// where a worker dies the runner may give all up. Jobs that ended stay so.
const mostTries = 3

// dialTimeout bounds the wait for a job server that does not answer.
const dialTimeout = 15 * time.Second

// start sets Beam up, once: its messages are for those who write pipelines, and go
// nowhere; what fails comes back as an error.
var start = sync.OnceFunc(func() {
	log.LogLevel = "error"
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	log.SetLogger(silent{})
})

type silent struct{}

func (silent) Log(context.Context, log.Severity, int, string) {}

// Plan is a batch that is ready to run.
type Plan struct {
	Batch
	// Levels are jobs that can run side by side, each level after those before it.
	Levels [][]Job
	// Runner is [Prism] or HOST:PORT of a job server.
	Runner string
	// Workers is how many tasks are thought to run at once, 0 one.
	Workers int
	// Say tells of a pipeline that is handed out again.
	Say func(string)
	// Environment says where the workers are; with [Prism], in this process.
	Environment Environment
}

// Run runs the pipeline to its end. The jobs run where the environment says; in this
// process after [Serve] was called. Jobs that fail are no error: their records say it.
func Run(ctx context.Context, p Plan) error {
	start()
	if p.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		p.Dir = dir
	}
	release, err := p.claim()
	if err != nil {
		return err
	}
	defer release()
	if p.Runner == Prism {
		if err := guard(); err != nil { // before any server is made
			return err
		}
	}
	lanes := 1
	if p.Runner == Prism {
		lanes = lanesEach * max(1, p.Workers)
	}
	pipeline, err := p.pipeline(lanes)
	if err != nil {
		return err
	}
	temporary, err := fsio.NewTemporary("", "batch")
	if err != nil {
		return err
	}
	defer temporary.Remove()

	where := p.Environment
	if where.Here() {
		pool, err := NewPool(ctx, "", "")
		if err != nil {
			return err
		}
		defer pool.Close()
		where.Pool, where.Secret = pool.Address(), pool.secret
	}
	environment, err := graphx.CreateEnvironment(ctx, graphx.URNEnvExternal, func(context.Context) string { return where.Pool })
	if err == nil {
		environment, err = where.proto(environment)
	}
	if err != nil {
		return err
	}
	edges, _, err := pipeline.Build()
	if err != nil {
		return err
	}
	model, err := graphx.Marshal(edges, &graphx.Options{Environment: environment})
	if err != nil {
		return err
	}
	// Every portable job names the program of its workers. They are this process, which
	// is there already, so the file that is handed over is empty.
	program := filepath.Join(temporary.Dir, "worker")
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		return err
	}
	if err := runnerlib.UpdateGoEnvironmentWorker(program, model); err != nil {
		return err
	}
	return submit(ctx, p, model, program)
}

// submit hands the pipeline to the runner and waits for its end.
func submit(ctx context.Context, p Plan, model *pipepb.Pipeline, program string) error {
	client, hangUp, err := dial(ctx, p.Runner)
	if err != nil {
		return err
	}
	defer hangUp()
	for try := 1; ; try++ {
		err := p.once(ctx, client, model, program)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		err = fmt.Errorf("runner %s: %w", p.Runner, err)
		if p.Environment.Here() || try == mostTries || strings.Contains(err.Error(), notReady) {
			return err
		}
		if p.Say == nil {
			continue
		}
		p.Say(fmt.Sprintf("%v: what is not done is handed out again", err))
	}
}

// once is one run of the pipeline by the runner.
func (p Plan) once(ctx context.Context, client jobpb.JobServiceClient, model *pipepb.Pipeline, program string) error {
	id, artifacts, token, err := runnerlib.Prepare(ctx, client, model, &runnerlib.JobOptions{
		Name: "pecvt-batch", Loopback: p.Environment.Here(), Parallelism: max(1, p.Workers), Experiments: []string{"prism_disable_sdf_split"}})
	if err != nil {
		return err
	}
	if token, err = runnerlib.Stage(ctx, id, artifacts, program, token); err != nil {
		return err
	}
	job, err := runnerlib.Submit(ctx, client, id, token)
	if err != nil {
		return err
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // the runner would go on handing out jobs
		defer close(stopped)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
		defer cancel()
		_, _ = client.Cancel(end, &jobpb.CancelJobRequest{JobId: job})
	})
	err = runnerlib.WaitForCompletion(ctx, client, job)
	if !stop() {
		<-stopped
	}
	return err
}

// dial opens the way to the runner.
func dial(ctx context.Context, runner string) (client jobpb.JobServiceClient, hangUp func(), err error) {
	if runner == Prism {
		client, err = prism.CreateJobServer(ctx, prism.Options{})
		return client, func() {}, err
	}
	var cc *grpc.ClientConn
	knock, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", runner) // gRPC asks a closed port again and again
	if err == nil {
		_ = knock.Close()
		cc, err = grpcx.Dial(ctx, runner, dialTimeout)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, fmt.Errorf("runner %s: no job server of Beam answers there: expected the HOST:PORT of one that runs (%w)", runner, err)
	}
	return jobpb.NewJobServiceClient(cc), func() { _ = cc.Close() }, nil
}
