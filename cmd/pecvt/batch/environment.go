package batch

import (
	"fmt"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"google.golang.org/protobuf/proto"
)

// Environment says where the workers are. The zero value: they are this process.
type Environment struct {
	// Pool is HOST:PORT of a [Pool], Secret what it asks for.
	Pool, Secret string
	// Process is the path of this program on the machines where the runner starts it, Env
	// what it finds in its environment.
	Process string
	Env     map[string]string
}

// ParseEnvironment reads "loopback", "external:HOST:PORT" or "process:PATH".
func ParseEnvironment(text string) (Environment, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "loopback":
		return Environment{}, nil
	case kind == "external" && rest != "":
		return Environment{Pool: rest}, nil
	case kind == "process" && rest != "":
		return Environment{Process: rest}, nil
	}
	return Environment{}, fmt.Errorf("%q: expected loopback, external:HOST:PORT or process:PATH", text)
}

// Here tells whether the workers are this process.
func (e Environment) Here() bool { return e.Pool == "" && e.Process == "" }

// proto is the environment as the pipeline has it.
func (e Environment) proto(base *pipepb.Environment) (*pipepb.Environment, error) {
	out := proto.Clone(base).(*pipepb.Environment)
	var payload proto.Message = &pipepb.ExternalPayload{Endpoint: &pipepb.ApiServiceDescriptor{Url: e.Pool}, Params: map[string]string{secretParam: e.Secret}}
	out.Urn = graphx.URNEnvExternal
	if e.Process != "" {
		out.Urn, payload = graphx.URNEnvProcess, &pipepb.ProcessPayload{Command: e.Process, Env: e.Env}
	}
	raw, err := proto.Marshal(payload)
	out.Payload = raw
	return out, err
}
