package placetest

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob" // opens s3://
	"google.golang.org/api/option"
)

const s3Key, s3Secret = "tester", "no-secret-of-anyone"

// s3 is versitygw, over files.
var s3 = service{
	scheme: "s3", program: "versitygw-v1.8.0/versitygw",
	command: func(program, endpoint, root, side string) *exec.Cmd {
		cmd := exec.Command(program, "posix", root)
		cmd.Env = append(os.Environ(), "VGW_QUIET=true", "VGW_PORT="+endpoint, "ROOT_ACCESS_KEY_ID="+s3Key, "ROOT_SECRET_ACCESS_KEY="+s3Secret, "VGW_META_SIDECAR="+side)
		return cmd
	},
	environ: func(t testing.TB, _ string) {
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": s3Key, "AWS_SECRET_ACCESS_KEY": s3Secret, "AWS_REGION": "us-east-1",
			"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
			t.Setenv(name, value)
		}
	},
	made: func(t testing.TB, s *Server, root string) {
		if err := os.Mkdir(filepath.Join(root, s.Bucket), 0o755); err != nil {
			t.Fatal(err)
		}
	},
	url: func(endpoint, bucket, path string) string {
		return "s3://" + bucket + "/" + path + "?endpoint=http://" + endpoint + "&use_path_style=true"
	},
	bucket: func(endpoint, bucket string) (*blob.Bucket, error) {
		return blob.OpenBucket(context.Background(), "s3://"+bucket+"?endpoint=http://"+endpoint+"&use_path_style=true")
	},
	part:  func(r *http.Request) bool { return r.URL.Query().Has("partNumber") },
	wrong: "AWS_SECRET_ACCESS_KEY", credentials: "AWS_ACCESS_KEY_ID",
	pinned: func(r *http.Request) bool { return r.Header.Get("If-Match") != "" },
	unpin:  func(r *http.Request) { r.Header.Del("If-Match") },
	other:  func(h http.Header) { h.Set("ETag", `"another"`) },
}

// gs is fake-gcs-server, in memory. It asks for no credentials.
var gs = service{
	scheme: "gs", program: "fake-gcs-server-v1.52.3/fake-gcs-server",
	command: func(program, endpoint, root, side string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(endpoint)
		return exec.Command(program, "-scheme", "http", "-backend", "memory", "-host", host, "-port", port, "-public-host", endpoint, "-log-level", "error")
	},
	environ: func(t testing.TB, endpoint string) { t.Setenv("STORAGE_EMULATOR_HOST", endpoint) },
	made: func(t testing.TB, s *Server, _ string) {
		r, err := http.Post("http://"+s.endpoint+"/storage/v1/b?project=tests", "application/json", strings.NewReader(`{"name":"`+s.Bucket+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("bucket %s: %s", s.Bucket, r.Status)
		}
	},
	url: func(_, bucket, path string) string { return "gs://" + bucket + "/" + path + "?anonymous=true" },
	bucket: func(endpoint, bucket string) (*blob.Bucket, error) {
		ctx := context.Background()
		client, err := storage.NewClient(ctx, option.WithoutAuthentication(), option.WithEndpoint("http://"+endpoint+"/storage/v1/"), option.WithHTTPClient(http.DefaultClient))
		if err != nil {
			return nil, err
		}
		return gcsblob.OpenBucket(ctx, nil, bucket, &gcsblob.Options{Client: client})
	},
	part:        func(r *http.Request) bool { return r.Method == "PUT" && r.URL.Query().Has("upload_id") },
	credentials: "GOOGLE_APPLICATION_CREDENTIALS",
	pinned: func(r *http.Request) bool {
		return r.Header.Get("X-Goog-If-Generation-Match") != "" || r.URL.Query().Has("ifGenerationMatch")
	},
	unpin: func(r *http.Request) {
		r.Header.Del("X-Goog-If-Generation-Match")
		q := r.URL.Query()
		q.Del("ifGenerationMatch")
		r.URL.RawQuery = q.Encode()
	},
	other: func(h http.Header) { h.Set("X-Goog-Generation", "12345") },
}

// The account that Azurite knows, with the key that its documentation has.
const (
	azureAccount = "devstoreaccount1"
	azureKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azblob is Azurite.
var azblob = service{
	scheme: "azblob", program: "azurite-3.35.0/node_modules/.bin/azurite-blob",
	command: func(program, endpoint, root, _ string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(endpoint)
		return exec.Command(program, "--silent", "--blobHost", host, "--blobPort", port, "--location", root, "--skipApiVersionCheck", "--disableTelemetry", "--disableProductStyleUrl")
	},
	environ: func(t testing.TB, _ string) {
		t.Setenv("AZURE_STORAGE_ACCOUNT", azureAccount)
		t.Setenv("AZURE_STORAGE_KEY", azureKey)
	},
	made: func(t testing.TB, s *Server, _ string) {
		b, err := s.bucket(s.endpoint, s.Bucket)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var c *container.Client
		if !b.As(&c) {
			t.Fatal("no client of a container")
		}
		if _, err := c.Create(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	},
	url: func(endpoint, bucket, path string) string {
		return "azblob://" + bucket + "/" + path + "?protocol=http&localemu=true&domain=" + endpoint
	},
	bucket: func(endpoint, bucket string) (*blob.Bucket, error) {
		key, err := container.NewSharedKeyCredential(azureAccount, azureKey)
		if err != nil {
			return nil, err
		}
		client, err := container.NewClientWithSharedKeyCredential("http://"+endpoint+"/"+azureAccount+"/"+bucket, key, nil)
		if err != nil {
			return nil, err
		}
		return azureblob.OpenBucket(context.Background(), client, nil)
	},
	part:  func(r *http.Request) bool { return r.URL.Query().Get("comp") == "block" },
	wrong: "AZURE_STORAGE_KEY", credentials: "AZURE_STORAGE_ACCOUNT",
	pinned: func(r *http.Request) bool { return r.Header.Get("If-Match") != "" },
	unpin:  func(r *http.Request) { r.Header.Del("If-Match") },
	other:  func(h http.Header) { h.Set("ETag", `"another"`) },
}
