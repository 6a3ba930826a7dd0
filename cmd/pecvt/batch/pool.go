package batch

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"sync"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/harness"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"
)

// secretParam is the parameter of a request for a worker that carries the pool's secret.
const secretParam = "secret"

// Pool is a server of Beam's "external" environment: a runner asks it for workers, which
// are this process. Whoever can ask has the workers run command lines of this program, so
// a request carries a secret, as a parameter that the pipeline gives to the runner.
type Pool struct {
	fnpb.UnimplementedBeamFnExternalWorkerPoolServer

	listener net.Listener
	server   *grpc.Server
	secret   string
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	workers map[string]context.CancelFunc // nil after Close
}

// NewPool serves workers at an address HOST:PORT; "" is a free port of the loopback
// address. An empty secret is a random one. [Serve] must have been called before a worker
// is asked for.
func NewPool(ctx context.Context, address, secret string) (*Pool, error) {
	start()
	if address == "" {
		address = "localhost:0"
	}
	if secret == "" {
		secret = rand.Text()
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("a port for workers: %w", err)
	}
	p := &Pool{listener: l, server: grpc.NewServer(), secret: secret, workers: map[string]context.CancelFunc{}}
	p.ctx, p.stop = context.WithCancel(ctx)
	fnpb.RegisterBeamFnExternalWorkerPoolServer(p.server, p)
	go func() { _ = p.server.Serve(l) }() // until Close
	return p, nil
}

// Address is where the pool answers.
func (p *Pool) Address() string { return p.listener.Addr().String() }

// StartWorker starts a worker, which calls the runner and runs until that hangs up.
func (p *Pool) StartWorker(ctx context.Context, r *fnpb.StartWorkerRequest) (*fnpb.StartWorkerResponse, error) {
	refuse := func(format string, args ...any) (*fnpb.StartWorkerResponse, error) {
		return &fnpb.StartWorkerResponse{Error: fmt.Sprintf("pecvt batch: "+format, args...)}, nil
	}
	if subtle.ConstantTimeCompare([]byte(r.GetParams()[secretParam]), []byte(p.secret)) != 1 {
		return refuse("the workers' secret is another one")
	}
	logging, control := r.GetLoggingEndpoint(), r.GetControlEndpoint()
	if logging == nil || control == nil || logging.GetAuthentication() != nil || control.GetAuthentication() != nil {
		return refuse("worker %q: expected endpoints for logging and control, without authentication", r.GetWorkerId())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.workers == nil {
		return refuse("the workers are ending")
	}
	if p.workers[r.GetWorkerId()] != nil {
		return refuse("worker %q runs already", r.GetWorkerId())
	}
	own, cancel := context.WithCancel(grpcx.WriteWorkerID(p.ctx, r.GetWorkerId()))
	p.workers[r.GetWorkerId()] = cancel
	p.running.Go(func() {
		_ = harnessed(own, r.GetProvisionEndpoint().GetUrl(), logging.GetUrl(), control.GetUrl()) // the runner sees that it ended
		p.mu.Lock()
		delete(p.workers, r.GetWorkerId())
		p.mu.Unlock()
	})
	return &fnpb.StartWorkerResponse{}, nil
}

// StopWorker ends a worker.
func (p *Pool) StopWorker(_ context.Context, r *fnpb.StopWorkerRequest) (*fnpb.StopWorkerResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.workers[r.GetWorkerId()]; cancel != nil {
		cancel()
	}
	return &fnpb.StopWorkerResponse{}, nil
}

// Close ends the workers and the server.
func (p *Pool) Close() {
	p.mu.Lock()
	p.workers = nil
	p.mu.Unlock()
	p.stop()
	p.server.Stop()
	p.running.Wait()
}

// harnessed is one worker: it takes work from a runner's control endpoint until that ends.
func harnessed(ctx context.Context, provision, logging, control string) error {
	var o harness.Options
	if provision != "" {
		if info, err := tools.ProvisionInfo(ctx, provision); err == nil {
			o.StatusEndpoint, o.RunnerCapabilities = info.GetStatusEndpoint().GetUrl(), info.GetRunnerCapabilities()
		}
	}
	return harness.MainWithOptions(ctx, logging, control, o)
}

// RunWorker is a process that a runner started (Beam's "process" environment) with an id
// and the endpoint that says where the others are. It runs until the runner hangs up.
// [Serve] must have been called.
func RunWorker(ctx context.Context, id, provision string) error {
	start()
	ctx = grpcx.WriteWorkerID(ctx, id)
	info, err := tools.ProvisionInfo(ctx, provision)
	if err != nil {
		return fmt.Errorf("worker %s: %s: %w", id, provision, err)
	}
	return harness.MainWithOptions(ctx, info.GetLoggingEndpoint().GetUrl(), info.GetControlEndpoint().GetUrl(),
		harness.Options{StatusEndpoint: info.GetStatusEndpoint().GetUrl(), RunnerCapabilities: info.GetRunnerCapabilities()})
}
