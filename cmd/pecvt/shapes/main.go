// Command shapes writes checkpoints of published shapes, made of holes: see package
// convert/shapes. `make shapes DIR=…` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/shapes"
)

func main() {
	dir := flag.String("dir", "", "where a folder for each shape is made")
	names := flag.String("shapes", "", "names, with commas between them; all without")
	fill := flag.String("fill", "", "layers with drawn numbers, with commas between them; −1 is what stands outside of the layers; they take their true size on the disk")
	flag.Parse()
	if err := run(*dir, *names, *fill); err != nil {
		fmt.Fprintln(os.Stderr, "shapes:", err)
		os.Exit(1)
	}
}

func run(dir, names, fill string) error {
	if dir == "" {
		return fmt.Errorf("no folder is named: expected -dir DIR")
	}
	list := shapes.All()
	if names != "" {
		list = nil
		for _, name := range strings.Split(names, ",") {
			s, err := shapes.Find(name)
			if err != nil {
				return err
			}
			list = append(list, s)
		}
	}
	var layers []int
	for _, text := range strings.FieldsFunc(fill, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("layer %q: expected a number", text)
		}
		layers = append(layers, n)
	}
	for _, s := range list {
		to := filepath.Join(dir, s.Name)
		if err := s.Write(to, layers...); err != nil {
			return err
		}
		fmt.Printf("%s: %s, %d tensors, %.4g parameters\n", to, s.From, len(s.Tensors), float64(s.Parameters()))
	}
	return nil
}
