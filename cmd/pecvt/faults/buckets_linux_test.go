package faults

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/verify/ort"
)

// TestBucketFaults: what TestFaults asks for holds where the source is in a bucket, and
// whatever its service answers. The source is never written to, seen from the service.
func TestBucketFaults(t *testing.T) {
	kills, all := long()
	s := placetest.StartS3(t)
	layers, each := 1, 1
	if all {
		layers, each = 6, 4
	}
	b := newBench(t, layers)
	if library, _, err := ort.Locate(""); err == nil { // the cache becomes another
		t.Setenv(ort.EnvLibrary, library)
	}
	b.cache = filepath.Join(t.TempDir(), "cache")
	s.PutFolder(t, "large", filepath.Join(b.sources, "large"))
	if text, err := b.run("export", filepath.Join(b.sources, "small"), "-o", filepath.Join(b.out, "graph")); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s.PutFolder(t, "graph", filepath.Join(b.out, "graph"))
	if err := os.RemoveAll(filepath.Join(b.out, "graph")); err != nil {
		t.Fatal(err)
	}
	p := s.Proxy(t)
	fail := func(f placetest.Fault) {
		p.Fail(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				b.writes.Add(1)
			}
			return f != nil && f(w, r)
		})
	}
	fail(nil)
	jobs := b.bucketJobs(s.Through(p, "large"), s.Through(p, "graph"))
	if !all {
		jobs = jobs[1:3]
	}
	for _, j := range jobs {
		b.prepare(j)
	}
	sources := b.digest(b.sources)
	rng := rand.New(rand.NewPCG(18, uint64(kills)))
	var rows []*row
	for _, j := range jobs {
		r := &row{job: j.name, fault: "SIGKILL at a drawn moment"}
		for range each * 2 {
			b.trial(r, j, sources, b.signalled(j, syscall.SIGKILL, time.Duration(rng.Float64()*float64(j.took))), false)
		}
		rows = append(rows, r)
	}
	answers := b.answers(s, rng)
	if !all { // the ones that take least
		answers = append(answers[:1:1], answers[4:]...)
	}
	for _, f := range answers {
		r := &row{job: "all of them", fault: f.name}
		for _, j := range jobs {
			for range (each + 1) / 2 {
				fail(f.begin())
				err := b.command(append([]string{b.pecvt}, j.args...)...).Run()
				fail(nil)
				b.trial(r, j, sources, err, true)
			}
		}
		if f.ends && r.midway == 0 {
			t.Errorf("%s: no run failed of it", f.name)
		}
		if !f.ends && r.midway > 0 {
			t.Errorf("%s: %d runs failed of what passes", f.name, r.midway)
		}
		rows = append(rows, r)
	}
	for _, r := range rows {
		if r.bad() {
			t.Errorf("%+v", *r)
		}
	}
	if os.Getenv("PECVT_FAULTS_TABLE") != "" && !t.Failed() {
		if err := writeTable(filepath.Join(repository, "docs", "reliability.md"), "bucket faults", "make faults", rows); err != nil {
			t.Fatal(err)
		}
	}
}

// bucketJobs are the commands on models of a bucket, the large one and one with a graph.
func (b *bench) bucketJobs(large, graph string) []*job {
	ids := filepath.Join(b.sources, "small", "sampled.safetensors")
	jobs := []*job{
		{name: "convert from a bucket", args: []string{"convert", large, "--to", "hope", "--no-onnx"}},
		{name: "convert from a bucket, partial", args: []string{"convert", large, "--to", "hope-ab3", "--no-onnx"}},
		{name: "eval from a bucket", args: []string{"eval", large, "--runner", "ref", "--ids", ids, "--lengths", "16", "--json"}, says: regexp.MustCompile(`(?s)"ppl": ([0-9.e+]+)`)},
		{name: "verify from a bucket", args: []string{"verify", graph}, says: regexp.MustCompile(`verdict +(pass: [0-9]+ passed)`)},
	}
	for i, j := range jobs {
		if j.says != nil {
			continue
		}
		j.target = "bucket-result-" + string(rune('0'+i))
		b.targets = append(b.targets, j.target)
		j.args = append(j.args, "-o", filepath.Join(b.out, j.target))
	}
	return jobs
}

// answerFault is how a service answers for a while.
type answerFault struct {
	name  string
	begin func() placetest.Fault // for one run
	ends  bool                   // a run cannot do without what fails
}

// answers are the ways in which a service fails.
func (b *bench) answers(s *placetest.Server, rng *rand.Rand) []answerFault {
	var mu sync.Mutex
	draw := func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64()
	}
	status := func(code int, share float64) func() placetest.Fault {
		return func() placetest.Fault {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				if draw() > share {
					return false
				}
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(code)
				return true
			}
		}
	}
	return []answerFault{
		{name: "a quarter of the answers: 500", begin: status(500, .25)},
		{name: "a quarter of the answers: 503", begin: status(503, .25)},
		{name: "every answer: 503", begin: status(503, 1), ends: true},
		{name: "answers come after up to a second", begin: func() placetest.Fault {
			return func(http.ResponseWriter, *http.Request) bool {
				time.Sleep(time.Duration(draw() * float64(time.Second)))
				return false
			}
		}},
		{name: "a third of the answers: cut after up to 1 MiB", begin: func() placetest.Fault {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || r.URL.Query().Has("list-type") || draw() > .34 {
					return false
				}
				s.Cut(w, r, int64(draw()*(1<<20)))
				return true
			}
		}},
		{name: "lists of another time: objects were written anew", begin: b.stale(s), ends: true},
	}
}

// stale answers every list as before each object was written anew, with
// the same bytes and another version.
func (b *bench) stale(s *placetest.Server) func() placetest.Fault {
	tag := regexp.MustCompile(`<ETag>[^<]*</ETag>`)
	return func() placetest.Fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("list-type") {
				return false
			}
			old := httptest.NewRecorder()
			s.Forward(old, r)
			for name, values := range old.Header() {
				if !strings.EqualFold(name, "Content-Length") {
					w.Header()[name] = values
				}
			}
			w.WriteHeader(old.Code)
			io.Copy(w, bytes.NewReader(tag.ReplaceAll(old.Body.Bytes(), []byte(`<ETag>&#34;d41d8cd98f00b204e9800998ecf8427e&#34;</ETag>`))))
			return true
		}
	}
}
