// Package placetest starts services for tests of places, on the loopback address, and
// puts a proxy in front of them that makes them fail.
package placetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"

	"github.com/pecvt/pecvt/convert/fsio"
)

// Server is a service with one bucket, which ends with the test.
type Server struct {
	Bucket   string
	endpoint string // HOST:PORT
	*service
	t testing.TB
}

// service is a row of the table of services.
type service struct {
	scheme string
	// program is its path in the cache, into which .ci/fetch-service.sh puts it.
	program string
	// command starts it at an address, over the folder root; side is one more.
	command func(program, endpoint, root, side string) *exec.Cmd
	// environ sets what a client reads.
	environ func(t testing.TB, endpoint string)
	// made makes the bucket once the server answers.
	made func(t testing.TB, s *Server, root string)
	// url is a folder or file of a bucket at an address.
	url func(endpoint, bucket, path string) string
	// bucket opens one for the tests' own writing.
	bucket func(endpoint, bucket string) (*blob.Bucket, error)
	// Wrong has the next clients show a secret that is wrong, "" where none is asked for;
	// Credentials is a word of the message then.
	wrong       string
	credentials string
	// pinned tells whether a request asks for one version; unpin has it ask for any.
	pinned func(r *http.Request) bool
	unpin  func(r *http.Request)
	// part tells whether a request sends a part of a large object.
	part func(r *http.Request) bool
	// other marks an answer as that of another version.
	other func(h http.Header)
}

var services = []*service{&s3, &gs, &azblob}

// Each runs a test with each service that is there. One whose program
// .ci/fetch-service.sh did not put into the cache is skipped, or fails where
// PECVT_REQUIRE_S3, PECVT_REQUIRE_GS or PECVT_REQUIRE_AZBLOB is set. Short tests, as those
// for races are, take the first alone.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	list := services
	if testing.Short() {
		list = list[:1]
	}
	for _, s := range list {
		t.Run(s.scheme, func(t *testing.T) { test(t, start(t, s)) })
	}
}

// StartS3 starts the S3 server alone.
func StartS3(t testing.TB) *Server {
	t.Helper()
	return start(t, &s3)
}

// start starts a server over a folder of the test's and sets the environment by which
// the service's library reaches it.
func start(t testing.TB, of *service) *Server {
	t.Helper()
	program := of.find(t)
	root, side := t.TempDir(), t.TempDir()
	s := &Server{Bucket: "models", service: of, t: t}
	for try := 0; ; try++ { // another process may take the port that was free
		s.endpoint = freePort(t)
		cmd := of.command(program, s.endpoint, root, side)
		var log strings.Builder
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		if up(s.endpoint, ended) {
			t.Cleanup(func() { cmd.Process.Kill(); <-ended })
			break
		}
		cmd.Process.Kill()
		<-ended
		if try == 3 {
			t.Fatalf("%s does not answer at %s:\n%s", program, s.endpoint, log.String())
		}
	}
	of.environ(t, s.endpoint)
	of.made(t, s, root)
	return s
}

func (of *service) find(t testing.TB) string {
	t.Helper()
	name := strings.ToUpper(of.scheme)
	if path := os.Getenv("PECVT_" + name + "_SERVER"); path != "" {
		return path
	}
	cache, err := fsio.CacheDir()
	path := filepath.Join(cache, filepath.FromSlash(of.program))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		text := fmt.Sprintf("no server of %s (%v): .ci/fetch-service.sh %s makes one, or PECVT_%s_SERVER names it", of.scheme, err, of.scheme, name)
		if os.Getenv("PECVT_REQUIRE_"+name) != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	return path
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// up waits until a server answers.
func up(endpoint string, ended chan struct{}) bool {
	for range 600 {
		select {
		case <-ended:
			return false
		case <-time.After(50 * time.Millisecond):
		}
		if r, err := http.Get("http://" + endpoint); err == nil {
			r.Body.Close()
			return true
		}
	}
	return false
}

// Scheme is that of the service's URLs.
func (s *Server) Scheme() string { return s.scheme }

// URL names a folder or file of the bucket, with what reaches the server.
func (s *Server) URL(path string) string { return s.At(s.Bucket, path) }

// At names it in another bucket.
func (s *Server) At(bucket, path string) string { return s.through(s.endpoint, bucket, path) }

func (s *Server) through(endpoint, bucket, path string) string {
	s.environ(s.t, endpoint)
	return s.url(endpoint, bucket, path)
}

// Root names it as messages do.
func (s *Server) Root(path string) string { return s.scheme + "://" + s.Bucket + "/" + path }

// Credentials is what a message about credentials names; Refuse has the next clients
// show ones that are wrong, and tells whether the service asks for any.
func (s *Server) Credentials() string { return s.credentials }

// Refuse: see Credentials.
func (s *Server) Refuse(t testing.TB) bool {
	if s.wrong != "" {
		t.Setenv(s.wrong, "d3Jvbmc=")
	}
	return s.wrong != ""
}

// Pinned tells whether a request asks for one version of an object, and has it ask for
// any.
func (s *Server) Pinned(r *http.Request) bool {
	pinned := s.pinned(r)
	s.unpin(r)
	return pinned
}

// Part tells whether a request sends a part of a large object.
func (s *Server) Part(r *http.Request) bool { return s.part(r) }

// Other marks an answer as that of another version.
func (s *Server) Other(h http.Header) { s.other(h) }

// Range is the range that a request asks for.
func Range(r *http.Request) string {
	if x := r.Header.Get("X-Ms-Range"); x != "" {
		return x
	}
	return r.Header.Get("Range")
}

// Put writes an object.
func (s *Server) Put(t testing.TB, name string, data []byte) {
	t.Helper()
	s.with(t, func(ctx context.Context, b *blob.Bucket) error { return b.WriteAll(ctx, name, data, nil) })
}

// Delete removes an object.
func (s *Server) Delete(t testing.TB, name string) {
	t.Helper()
	s.with(t, func(ctx context.Context, b *blob.Bucket) error { return b.Delete(ctx, name) })
}

func (s *Server) with(t testing.TB, do func(context.Context, *blob.Bucket) error) {
	t.Helper()
	b, err := s.bucket(s.endpoint, s.Bucket)
	if err == nil {
		err = errors.Join(do(context.Background(), b), b.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// PutFolder writes the files of a folder under a prefix.
func (s *Server) PutFolder(t testing.TB, prefix, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.Put(t, prefix+"/"+filepath.ToSlash(rel), data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
