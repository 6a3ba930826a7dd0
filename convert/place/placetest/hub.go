package placetest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Hub is a hub of models with one repository, and a second server to which it sends on
// whoever asks for a large file.
type Hub struct {
	// Repo is the repository, ORG/NAME.
	Repo string
	// Token, where not empty, must be shown.
	Token string
	// Requests counts those for files.
	Requests atomic.Int64

	mu      sync.Mutex
	commits map[string]string // folders by commit
	refs    map[string]string // commits by name
	fault   atomic.Pointer[Fault]
	t       testing.TB
	main    *httptest.Server
	large   *httptest.Server
}

// largeBytes is the size from which files are sent from the second server.
const largeBytes = 100_000

// StartHub starts a hub and sets the environment by which it is found. The cache is a
// folder of the test's.
func StartHub(t testing.TB, repo string) *Hub {
	t.Helper()
	h := &Hub{Repo: repo, commits: map[string]string{}, refs: map[string]string{}, t: t}
	h.main = httptest.NewServer(http.HandlerFunc(h.serve))
	h.large = httptest.NewServer(http.HandlerFunc(h.serveLarge))
	t.Cleanup(h.main.Close)
	t.Cleanup(h.large.Close)
	t.Setenv("HF_ENDPOINT", h.main.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_TOKEN", "")
	t.Setenv("HF_TOKEN_PATH", "")
	t.Setenv("HF_HUB_CACHE", "")
	return h
}

// Push has a revision be a folder's files from now on, and gives its commit.
func (h *Hub) Push(revision, dir string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	commit := fmt.Sprintf("%x", sha1.Sum([]byte(fmt.Sprint(revision, dir, len(h.commits)))))
	h.commits[commit], h.refs[revision] = dir, commit
	return commit
}

// Fail has the next requests go through a fault; nil is none.
func (h *Hub) Fail(f Fault) { h.fault.Store(&f) }

func (h *Hub) faulty(w http.ResponseWriter, r *http.Request) bool {
	f := h.fault.Load()
	return f != nil && *f != nil && (*f)(w, r)
}

// of finds the folder of a commit or a name of one.
func (h *Hub) of(revision string) (commit, dir string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.refs[revision]; ok {
		revision = c
	}
	return revision, h.commits[revision]
}

func refuse(w http.ResponseWriter, status int, code, says string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", says)
	w.WriteHeader(status)
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	if h.faulty(w, r) {
		return
	}
	if h.Token != "" && r.Header.Get("Authorization") != "Bearer "+h.Token {
		refuse(w, 401, "GatedRepo", "Access to model "+h.Repo+" is restricted.")
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/models/"+h.Repo+"/"); ok {
		verb, rest, _ := strings.Cut(rest, "/")
		revision, folder, _ := strings.Cut(rest, "/")
		revision, _ = url.PathUnescape(revision)
		folder, _ = url.PathUnescape(folder)
		commit, dir := h.of(revision)
		switch {
		case dir == "":
			refuse(w, 404, "RevisionNotFound", "Invalid rev id: "+revision)
		case verb == "revision":
			json.NewEncoder(w).Encode(map[string]any{"id": h.Repo, "sha": commit})
		case verb == "tree":
			h.tree(w, r, dir, folder)
		}
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/"+h.Repo+"/resolve/"); ok {
		revision, name, _ := strings.Cut(rest, "/")
		commit, dir := h.of(revision)
		file := filepath.Join(dir, filepath.FromSlash(name))
		st, err := os.Stat(file)
		if dir == "" || err != nil || st.IsDir() {
			refuse(w, 404, "EntryNotFound", "Entry not found")
			return
		}
		w.Header().Set("X-Repo-Commit", commit)
		if st.Size() >= largeBytes {
			http.Redirect(w, r, h.large.URL+"/signed?file="+url.QueryEscape(file), http.StatusFound)
			return
		}
		h.Requests.Add(1)
		http.ServeFile(w, r, file)
		return
	}
	refuse(w, 404, "RepoNotFound", "Repository not found")
}

func (h *Hub) serveLarge(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		h.t.Error("another host was shown the token")
	}
	if h.faulty(w, r) {
		return
	}
	h.Requests.Add(1)
	http.ServeFile(w, r, r.URL.Query().Get("file"))
}

// pageOfTree is how many entries a list gives at once.
const pageOfTree = 2

func (h *Hub) tree(w http.ResponseWriter, r *http.Request, dir, folder string) {
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil {
		refuse(w, 404, "EntryNotFound", folder+" does not exist")
		return
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() > entries[j].Name() })
	list := []map[string]any{}
	for _, e := range entries {
		x := map[string]any{"path": path.Join(folder, e.Name()), "type": "directory", "oid": strings.Repeat("0", 40), "size": 0}
		if !e.IsDir() {
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(folder), e.Name()))
			if err != nil {
				h.t.Error(err)
			}
			x["type"], x["size"] = "file", len(data)
			x["oid"] = fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
			if len(data) >= largeBytes {
				x["lfs"] = map[string]any{"oid": fmt.Sprintf("%x", sha256.Sum256(data)), "size": len(data), "pointerSize": 130}
			}
		}
		list = append(list, x)
	}
	from := 0
	fmt.Sscan(r.URL.Query().Get("cursor"), &from)
	if to := from + pageOfTree; to < len(list) {
		next := *r.URL
		next.RawQuery = fmt.Sprintf("cursor=%d", to)
		w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, h.main.URL, next.RequestURI()))
		list = list[:to]
	}
	json.NewEncoder(w).Encode(list[from:])
}
