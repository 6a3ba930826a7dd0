package batch

import (
	"testing"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// askWorker asks a pool for a worker, as a runner does, and returns why there is none.
func askWorker(t *testing.T, address, secret string) string {
	t.Helper()
	c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := fnpb.NewBeamFnExternalWorkerPoolClient(c).StartWorker(t.Context(), &fnpb.StartWorkerRequest{WorkerId: "w", Params: map[string]string{secretParam: secret}})
	if err != nil {
		return err.Error()
	}
	return r.GetError()
}
