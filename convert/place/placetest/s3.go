// Package placetest starts services for tests of places, on the loopback address, and
// puts a proxy in front of them that makes them fail.
package placetest

import (
	"context"
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
	_ "gocloud.dev/blob/s3blob" // opens s3://

	"github.com/pecvt/pecvt/convert/fsio"
)

// s3Version is the version of versitygw that .ci/fetch-s3.sh builds.
const s3Version = "v1.8.0"

// S3 is an S3 server with one bucket, which ends with the test.
type S3 struct {
	Bucket   string
	endpoint string // HOST:PORT
}

// StartS3 starts an S3 server (versitygw over a folder of the test's) and sets the
// environment by which AWS's library reaches it. Without the program, which
// .ci/fetch-s3.sh builds, the test is skipped, or fails where PECVT_REQUIRE_S3 is set.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	program := s3Program(t)
	root, side := t.TempDir(), t.TempDir()
	s := &S3{Bucket: "models"}
	const key, secret = "tester", "no-secret-of-anyone"
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for try := 0; ; try++ { // another process may take the port that was free
		s.endpoint = freePort(t)
		cmd := exec.Command(program, "posix", root)
		cmd.Env = append(os.Environ(), "VGW_QUIET=true", "VGW_PORT="+s.endpoint, "ROOT_ACCESS_KEY_ID="+key, "ROOT_SECRET_ACCESS_KEY="+secret, "VGW_META_SIDECAR="+side)
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
	if err := os.Mkdir(filepath.Join(root, s.Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

func s3Program(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("PECVT_S3_SERVER"); path != "" {
		return path
	}
	cache, err := fsio.CacheDir()
	path := filepath.Join(cache, "versitygw-"+s3Version, "versitygw")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		text := fmt.Sprintf("no S3 server (%v): .ci/fetch-s3.sh builds one, or PECVT_S3_SERVER names it", err)
		if os.Getenv("PECVT_REQUIRE_S3") != "" {
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

// URL names a folder or file of the bucket, with what reaches the server.
func (s *S3) URL(path string) string { return s.through(s.endpoint, s.Bucket, path) }

// At names it in another bucket.
func (s *S3) At(bucket, path string) string { return s.through(s.endpoint, bucket, path) }

func (s *S3) through(endpoint, bucket, path string) string {
	return "s3://" + bucket + "/" + path + "?endpoint=http://" + endpoint + "&use_path_style=true"
}

// Root names it as messages do.
func (s *S3) Root(path string) string { return "s3://" + s.Bucket + "/" + path }

// Put writes an object.
func (s *S3) Put(t testing.TB, name string, data []byte) {
	t.Helper()
	b := s.bucket(t)
	defer b.Close()
	if err := b.WriteAll(context.Background(), name, data, nil); err != nil {
		t.Fatal(err)
	}
}

// Delete removes an object.
func (s *S3) Delete(t testing.TB, name string) {
	t.Helper()
	b := s.bucket(t)
	defer b.Close()
	if err := b.Delete(context.Background(), name); err != nil {
		t.Fatal(err)
	}
}

func (s *S3) bucket(t testing.TB) *blob.Bucket {
	t.Helper()
	b, err := blob.OpenBucket(context.Background(), strings.Replace(s.URL(""), "/?", "?", 1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// PutFolder writes the files of a folder under a prefix.
func (s *S3) PutFolder(t testing.TB, prefix, dir string) {
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
