package garbage

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is the test, or with envSteps a process that makes its steps and prints the
// collector's percentage after each.
func TestMain(m *testing.M) {
	steps := os.Getenv(envSteps)
	if steps == "" {
		os.Exit(m.Run())
	}
	var seen []string
	var back func()
	for _, step := range strings.Split(steps, ",") {
		switch step {
		case "start":
		case "collect":
			runtime.GC()
			for begin := time.Now(); percent() == atStart && time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
			}
		case "frugal":
			back = Frugal()
		case "back":
			back()
		}
		seen = append(seen, fmt.Sprint(percent()))
	}
	fmt.Print(strings.Join(seen, ","))
}

const envSteps = "PECVT_GARBAGE_STEPS"

func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestChoices: the start is over with the collector's first run, and with any choice, which
// that run does not change; GOGC in the environment is left alone.
func TestChoices(t *testing.T) {
	for _, c := range []struct{ gogc, steps, want string }{
		{"", "start,collect,collect", "400,100,100"},
		{"", "start,frugal,collect,back,collect", "400,50,50,100,100"},
		{"", "collect,frugal,back", "100,50,100"},
		{"70", "start,collect,frugal,back", "70,70,70,70"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOGC=") })
		cmd.Env = append(cmd.Env, envSteps+"="+c.steps)
		if c.gogc != "" {
			cmd.Env = append(cmd.Env, "GOGC="+c.gogc)
		}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("GOGC=%s, %s: %s, want %s (%v)", c.gogc, c.steps, out, c.want, err)
		}
	}
}
