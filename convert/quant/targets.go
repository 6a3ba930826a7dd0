package quant

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// fits tells how an entry of a list of modules, as compressed-tensors writes them,
// says a module: by its name, or "re:" and a pattern that begins where the name does.
// Of a pattern that is not of this dialect (one that looks ahead) nothing is known.
func fits(entry, module string) bool {
	if text, ok := strings.CutPrefix(entry, "re:"); ok {
		re := pattern("^(?:" + text + ")")
		return re != nil && re.MatchString(module)
	}
	return module == entry || strings.HasPrefix(module, entry+".")
}

// pattern compiles a regular expression, nil where it is of another dialect.
func pattern(text string) *regexp.Regexp {
	if re, ok := patterns.Load(text); ok { // each is asked of every weight
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		re = nil
	}
	patterns.Store(text, re)
	return re
}

var patterns sync.Map

// nearest are the schemes whose targets say a module most closely: by its name, else
// by a pattern, else by a class, such as Linear, of which a name says nothing. Where
// none does, all are: the shapes decide then.
func nearest(list []scheme, module string) []scheme {
	of := func(is func(target string) bool) (found []scheme) {
		for _, s := range list {
			if slices.ContainsFunc(s.Targets, is) {
				found = append(found, s)
			}
		}
		return found
	}
	for _, is := range []func(target string) bool{
		func(target string) bool { return target == module },
		func(target string) bool { return strings.HasPrefix(target, "re:") && fits(target, module) },
		func(target string) bool { return !strings.HasPrefix(target, "re:") && !strings.Contains(target, ".") },
	} {
		if found := of(is); found != nil {
			return found
		}
	}
	return list
}
