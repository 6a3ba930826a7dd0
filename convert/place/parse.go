package place

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Place is where a model, or one file of it, is.
type Place struct {
	// Path is the place on the local disk; empty elsewhere.
	Path string
	// url is the place elsewhere, with its query.
	url      *url.URL
	revision string // of a hub's repository
	scheme   *scheme
}

var schemeOf = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// IsURL tells whether a text names a place by a URL rather than by a path.
func IsURL(text string) bool { return schemeOf.MatchString(text) }

// Parse reads a path, or the URL of one of the table's schemes.
func Parse(text string) (Place, error) {
	m := schemeOf.FindStringSubmatch(text)
	if m == nil {
		return Place{Path: text}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return Place{}, fmt.Errorf("place %q: no URL: %w", text, bareURL(err))
	}
	name := strings.ToLower(m[1])
	if name == "file" {
		return localURL(text, u)
	}
	s := find(name)
	if s == nil {
		return Place{}, fmt.Errorf("place %s: unknown scheme %q: expected a path, or a URL of %s", text, m[1], strings.Join(Schemes(), ", "))
	}
	if u.User != nil {
		return Place{}, fmt.Errorf("place %s://…: a URL with a user or a password in it: leave them out; credentials are read from %s", name, s.credentials)
	}
	if u.Host == "" {
		return Place{}, fmt.Errorf("place %s: no %s is named: expected %s", text, s.holder, s.form)
	}
	if u.Fragment != "" {
		return Place{}, fmt.Errorf("place %s: a URL with # in it: write %%23 where a name has one", text)
	}
	p := Place{url: u, scheme: s}
	if s.split != nil {
		if p.revision, err = s.split(u); err != nil {
			return Place{}, fmt.Errorf("place %s: %w: expected %s", text, err, s.form)
		}
		return p, nil
	}
	u.Path, u.RawPath = strings.Trim(path.Clean("/"+u.Path), "/"), ""
	return p, nil
}

// localURL is the path that a file URL is of.
func localURL(text string, u *url.URL) (Place, error) {
	if u.Host != "" && u.Host != "localhost" {
		return Place{}, fmt.Errorf("place %s: another machine's file: expected file:///path", text)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.Path == "" {
		return Place{}, fmt.Errorf("place %s: expected file:///path, without a query", text)
	}
	p := u.Path
	if runtime.GOOS == "windows" { // file:///C:/folder
		p = strings.TrimPrefix(p, "/")
	}
	return Place{Path: filepath.FromSlash(p)}, nil
}

// bareURL is what was wrong with a URL, without the URL, which may hold a password.
func bareURL(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}

// Local is the path of a place of the local disk.
func (p Place) Local() (string, bool) { return p.Path, p.url == nil }

// String names the place, without the query of its URL.
func (p Place) String() string {
	if p.url == nil {
		return p.Path
	}
	return p.root()
}

func (p Place) root() string {
	text := p.scheme.name + "://" + p.url.Host
	name, rest, deeper := strings.Cut(p.url.Path, "/")
	if name != "" {
		text += "/" + name
	}
	if p.revision != "" {
		text += "@" + p.revision
	}
	if deeper {
		text += "/" + rest
	}
	return text
}

// Base is the last element of the place's name.
func (p Place) Base() string {
	if p.url == nil {
		return filepath.Base(p.Path)
	}
	return path.Base("/" + cmp.Or(p.url.Path, p.url.Host))
}

// Split gives the folder of a place that is a file.
func (p Place) Split() (folder Place, name string) {
	if p.url == nil {
		return Place{Path: filepath.Dir(p.Path)}, filepath.Base(p.Path)
	}
	u := *p.url
	dir, name := path.Split(u.Path)
	u.Path = strings.Trim(dir, "/")
	p.url = &u
	return p, name
}

// Open opens the folder that the place is. A folder of the local disk is looked at when
// something of it is asked for; any other is listed, and one without a file is an error.
// The context ends every later request.
func (p Place) Open(ctx context.Context) (*Folder, error) {
	if p.url == nil {
		return &Folder{root: p.Path, local: true}, nil
	}
	if variable, yes := offline(); yes && p.scheme.name == "hf" {
		local, err := p.cached(variable)
		if err != nil {
			return nil, err
		}
		return local.Open(ctx)
	}
	d, err := p.scheme.open(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return newFolder(ctx, p, d)
}
