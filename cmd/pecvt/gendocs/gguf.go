package main

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
)

// ggufArchs is the table of architectures that are read.
func ggufArchs() string {
	var b strings.Builder
	b.WriteString("| architecture | family | rows in another order |\n| --- | --- | --- |\n")
	for _, a := range arch.Table() {
		var turned []string
		for _, n := range a.Names {
			if n.Order != arch.AsIs {
				turned = append(turned, "`"+strings.TrimPrefix(n.GGUF, "blk.{i}.")+"`")
			}
		}
		order := strings.Join(turned, ", ")
		if order == "" {
			order = "none"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Family, order)
	}
	return b.String()
}

// ggmlTypes lists the types that are read.
func ggmlTypes() string { return strings.Join(gguf.Decoded(), ", ") + ".\n" }
