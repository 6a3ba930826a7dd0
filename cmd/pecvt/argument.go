package main

import (
	"regexp"
	"strings"

	"github.com/pecvt/pecvt/convert/place"
)

// plainArgument has nothing that a shell reads otherwise.
var plainArgument = regexp.MustCompile(`^[\p{L}\p{N}/\\:@%+=,._-]+$`)

// escapes are those of a URL's path, which places are named without.
var escapes = strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F")

// argument is the name of a model or a target as a command line has it.
func argument(name string) string {
	if place.IsURL(name) {
		name = escapes.Replace(name)
	}
	if plainArgument.MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
