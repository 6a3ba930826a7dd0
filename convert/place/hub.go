package place

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// hub reads a repository of models over HTTP as the Hugging Face hub serves them: its
// list of a folder (/api/models/REPO/tree/COMMIT/FOLDER) and its files
// (/REPO/resolve/COMMIT/FILE), by range. The revision is looked up once, and everything
// is asked of that commit.
type hub struct {
	client         *http.Client
	endpoint, repo string
	revision       string
	folder         string // in the repository, "" or with a slash behind it
	token          string

	mu     sync.Mutex
	commit string
}

const (
	defaultEndpoint = "https://huggingface.co"
	defaultRevision = "main"
)

// splitHub takes the revision out of a URL hf://ORG/NAME@REVISION/FOLDER. A slash in a
// revision is written %2F.
func splitHub(u *url.URL) (revision string, err error) {
	elements := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, e := range elements {
		if elements[i], err = url.PathUnescape(e); err != nil {
			return "", err
		}
	}
	if u.RawQuery != "" {
		return "", errors.New("a query")
	}
	name, revision, given := strings.Cut(elements[0], "@")
	if name == "" || given && revision == "" {
		return "", errors.New("no name of a repository, or no revision behind its @")
	}
	if given && (!fs.ValidPath(revision) || strings.ContainsAny(revision, `\:`)) { // it names a file of the cache
		return "", fmt.Errorf("the revision %q", revision)
	}
	for _, e := range elements[1:] {
		if e == "" || e == "." || e == ".." {
			return "", fmt.Errorf("a folder %q", e)
		}
	}
	elements[0] = name
	u.Path, u.RawPath = strings.Join(elements, "/"), ""
	return revision, nil
}

func openHub(_ context.Context, p Place) (driver, error) {
	endpoint := strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/")
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, fmt.Errorf("HF_ENDPOINT=%s: expected the URL of a hub, https://HOST", endpoint)
	}
	token, err := hubToken()
	if err != nil {
		return nil, err
	}
	name, folder, _ := strings.Cut(p.url.Path, "/")
	if folder != "" {
		folder += "/"
	}
	revision := p.revision
	if revision == "" {
		revision = defaultRevision
	}
	return &hub{client: &http.Client{CheckRedirect: withoutToken(at)}, endpoint: endpoint, repo: p.url.Host + "/" + name, revision: revision, folder: folder, token: token}, nil
}

// withoutToken lets the hub send on to where large files lie, which is not shown the
// token, nor asked in the open where the hub is not.
func withoutToken(hub *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, before []*http.Request) error {
		if r.URL.Host != hub.Host || r.URL.Scheme != hub.Scheme {
			r.Header.Del("Authorization")
		}
		if hub.Scheme == "https" && r.URL.Scheme != "https" {
			return errors.New("sent on to an address without TLS")
		}
		if len(before) >= 10 {
			return errors.New("sent on ten times")
		}
		return nil
	}
}

// hubToken reads the token where huggingface_hub does: HF_TOKEN, else the file that
// HF_TOKEN_PATH names, else token in HF_HOME. It is empty where there is none.
func hubToken() (string, error) {
	if token := strings.TrimSpace(os.Getenv("HF_TOKEN")); token != "" {
		return token, nil
	}
	file := os.Getenv("HF_TOKEN_PATH")
	if file == "" {
		home, err := hubHome()
		if err != nil {
			return "", nil // no home, no token
		}
		file = filepath.Join(home, "token")
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the hub's token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// hubHome is huggingface_hub's folder.
func hubHome() (string, error) {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return dir, nil
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "huggingface"), nil
}

func (h *hub) close() error {
	h.client.CloseIdleConnections()
	return nil
}

// get asks for something of the hub.
func (h *hub) get(ctx context.Context, address, bytes string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &failure{err: err}
	}
	r.Header.Set("User-Agent", "pecvt")
	r.Header.Set("Accept-Encoding", "identity")
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	if bytes != "" {
		r.Header.Set("Range", bytes)
	}
	answer, err := h.client.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // without the address, which may be signed
		}
		return nil, broken(err)
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusPartialContent {
		return answer, nil
	}
	answer.Body.Close()
	says := answer.Header.Get("X-Error-Message")
	if says == "" {
		says = answer.Header.Get("X-Error-Code")
	}
	return nil, byStatus(answer.StatusCode, says)
}

// maxAnswer bounds an answer of the hub that is no file.
const maxAnswer = 32 << 20

// ask reads an answer in JSON into v, and gives the address of the next page.
func (h *hub) ask(ctx context.Context, address string, v any) (next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	answer, err := h.get(ctx, address, "")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return "", broken(err)
	}
	if len(text) > maxAnswer {
		return "", &failure{err: fmt.Errorf("the answer is longer than %d bytes", maxAnswer)}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return "", &failure{err: fmt.Errorf("the answer is none of a hub's: %w", err)}
	}
	return nextPage(answer.Header.Values("Link")), nil
}

// nextPage finds the next page's address among the links of an answer.
func nextPage(links []string) string {
	for _, l := range links {
		for _, one := range strings.Split(l, ",") {
			target, rest, ok := strings.Cut(one, ";")
			if ok && strings.Contains(rest, `rel="next"`) {
				return strings.Trim(strings.TrimSpace(target), "<>")
			}
		}
	}
	return ""
}

// pinned looks the revision up.
func (h *hub) pinned(ctx context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.commit != "" {
		return h.commit, nil
	}
	var answer struct {
		SHA string `json:"sha"`
	}
	if _, err := h.ask(ctx, h.endpoint+"/api/models/"+h.repo+"/revision/"+url.PathEscape(h.revision), &answer); err != nil {
		return "", err
	}
	if raw, err := hex.DecodeString(answer.SHA); err != nil || len(raw) != 20 {
		return "", &failure{err: fmt.Errorf("the answer names the commit %q: expected 40 hexadecimal digits", answer.SHA)}
	}
	h.commit = answer.SHA
	return h.commit, nil
}

// hubEntry is an element of a list.
type hubEntry struct {
	Type string `json:"type"`
	OID  string `json:"oid"`
	Size int64  `json:"size"`
	Path string `json:"path"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

func (h *hub) list(ctx context.Context, folder string) ([]Entry, error) {
	commit, err := h.pinned(ctx)
	if err != nil {
		return nil, err
	}
	address := h.endpoint + "/api/models/" + h.repo + "/tree/" + commit
	if at := strings.Trim(h.folder+folder, "/"); at != "" {
		address += "/" + escaped(at)
	}
	var entries []Entry
	for address != "" {
		var page []hubEntry
		next, err := h.ask(ctx, address, &page)
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			name, ok := strings.CutPrefix(x.Path, h.folder)
			if !ok || path.Dir("/"+name) != path.Clean("/"+folder) {
				return nil, &failure{err: fmt.Errorf("the answer lists %q, which is not in %q", x.Path, h.folder+folder)}
			}
			entries = append(entries, x.entry(name))
		}
		if len(entries) > maxListed {
			return nil, &failure{err: fmt.Errorf("over %d files: expected the folder of one model", maxListed)}
		}
		if next != "" && !strings.HasPrefix(next, h.endpoint+"/") {
			return nil, &failure{err: errors.New("the answer goes on at another host")}
		}
		address = next
	}
	return entries, nil
}

func (x *hubEntry) entry(name string) Entry {
	e := Entry{Name: name, Dir: x.Type == "directory", Size: x.Size, Version: x.OID}
	if x.LFS != nil {
		e.Size, e.Version = x.LFS.Size, x.LFS.OID
		if sum, err := hex.DecodeString(x.LFS.OID); err == nil && len(sum) == 32 {
			e.SHA256 = sum
		}
	} else if sum, err := hex.DecodeString(x.OID); err == nil && len(sum) == 20 {
		e.Git = sum
	}
	return e
}

// escaped is a path in a URL.
func escaped(name string) string { return (&url.URL{Path: name}).EscapedPath() }

func (h *hub) read(ctx context.Context, e Entry, offset, length int64) (io.ReadCloser, error) {
	commit, err := h.pinned(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := h.get(ctx, h.endpoint+"/"+h.repo+"/resolve/"+commit+"/"+escaped(h.folder+e.Name), fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	if err != nil {
		return nil, err
	}
	if err := h.same(answer, e, offset, length); err != nil {
		answer.Body.Close()
		return nil, err
	}
	return hubBody{answer.Body}, nil
}

// same checks that an answer is of the file, and of the bytes that were asked for.
func (h *hub) same(answer *http.Response, e Entry, offset, length int64) error {
	said := answer.Header.Get("Content-Range")
	if answer.StatusCode == http.StatusOK {
		if offset != 0 {
			return ranged("the whole file", offset)
		}
		if n := answer.ContentLength; n >= 0 && n != e.Size {
			return changed("it has %d bytes, listed were %d", n, e.Size)
		}
		return nil
	}
	if err := ranged(said, offset); err != nil {
		return err
	}
	if _, size, _ := strings.Cut(said, "/"); size != "*" && size != fmt.Sprint(e.Size) {
		return changed("it has %s bytes, listed were %d", size, e.Size)
	}
	return nil
}

// hubBody is an answer whose errors are failures.
type hubBody struct{ io.ReadCloser }

func (b hubBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = broken(err)
	}
	return n, err
}
