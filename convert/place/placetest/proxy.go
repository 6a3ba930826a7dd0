package placetest

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// Fault may answer a request in place of the server behind a proxy, and says so.
type Fault func(w http.ResponseWriter, r *http.Request) bool

// Proxy stands in front of a server.
type Proxy struct {
	// Requests counts those that came.
	Requests atomic.Int64
	fault    atomic.Pointer[Fault]
	server   *httptest.Server
}

// Fail has the next requests go through a fault; nil is none.
func (p *Proxy) Fail(f Fault) { p.fault.Store(&f) }

// Proxy puts a proxy in front of the server; URL names things through it.
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: s.endpoint}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		if s.wrong != "" {
			r.Out.Host = r.In.Host // it is signed
		}
	}, ErrorLog: log.New(io.Discard, "", 0)}
	p := &Proxy{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Requests.Add(1)
		if f := p.fault.Load(); f != nil && *f != nil && (*f)(w, r) {
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// Through names a folder or file of the bucket, by the proxy.
func (s *Server) Through(p *Proxy, path string) string {
	return s.through(p.server.Listener.Addr().String(), s.Bucket, path)
}

// Cut forwards a request and ends its answer after some bytes.
func (s *Server) Cut(w http.ResponseWriter, r *http.Request, after int64) {
	if answer := s.forward(w, r); answer != nil {
		defer answer.Body.Close()
		io.CopyN(w, answer.Body, after)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // the connection breaks
	}
}

// Forward answers a request as the server does.
func (s *Server) Forward(w http.ResponseWriter, r *http.Request) {
	if answer := s.forward(w, r); answer != nil {
		defer answer.Body.Close()
		io.Copy(w, answer.Body)
	}
}

// forward makes a request anew and passes on what its answer begins with; nil where
// there was none.
func (s *Server) forward(w http.ResponseWriter, r *http.Request) *http.Response {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", s.endpoint
	if s.wrong == "" {
		out.Host = s.endpoint
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return nil
	}
	for k, v := range answer.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.StatusCode)
	return answer
}

// Late makes a request whose client is gone, with its body.
func (s *Server) Late(t testing.TB, r *http.Request, body []byte) {
	t.Helper()
	out := r.Clone(context.Background())
	out.RequestURI, out.Body = "", io.NopCloser(bytes.NewReader(body))
	out.URL.Scheme, out.URL.Host = "http", s.endpoint
	if s.wrong == "" {
		out.Host = s.endpoint
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		t.Logf("late: %s: %s", answer.Status, text)
	}
}
