package batch

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// envKnock has the test's program, as a process of its own, ask the job server at each
// address for its jobs.
const envKnock = "PECVT_TEST_KNOCK"

func TestMain(m *testing.M) {
	if addresses := os.Getenv(envKnock); addresses != "" {
		for _, a := range strings.Split(addresses, ",") {
			cc, err := grpc.NewClient(a, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				os.Exit(1)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_, err = jobpb.NewJobServiceClient(cc).GetJobs(ctx, &jobpb.GetJobsRequest{})
			cancel()
			os.Stdout.WriteString(status.Code(err).String() + "\n")
		}
		os.Exit(0)
	}
	otherProcess()
	os.Exit(m.Run())
}

// listening are the ports on which this process listens for TCP (Linux).
func listening(t *testing.T) []string {
	t.Helper()
	own := map[string]bool{}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	var ports []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !own[f[9]] {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, strconv.FormatUint(port, 10))
		}
	}
	return ports
}

// TestGuard: while a batch runs, another process is refused by every server of this one.
func TestGuard(t *testing.T) {
	if _, err := os.Stat("/proc/self/net/tcp"); err != nil {
		t.Skip("the system does not list its ports in /proc")
	}
	var answers string
	var knocked int
	records := runAll(t, t.Context(), t.TempDir(), false, 1, func(context.Context, []string) Outcome {
		var addresses []string
		for _, port := range listening(t) {
			addresses = append(addresses, net.JoinHostPort("localhost", port))
		}
		knocked = len(addresses)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envKnock+"="+strings.Join(addresses, ","))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		answers = string(out)
		return Outcome{}
	}, job("a", "m"))
	if Worst(records) != 0 {
		t.Errorf("%s", ends(records))
	}
	// The job server is one of them; the worker pool has no such method, and says so to
	// those alone whom it lets in.
	denied := strings.Count(answers, codes.PermissionDenied.String()+"\n")
	unknown := strings.Count(answers, codes.Unimplemented.String()+"\n")
	if knocked < 2 || denied < 1 || denied+unknown != knocked {
		t.Errorf("%d servers answered a stranger:\n%s", knocked, answers)
	}
}
