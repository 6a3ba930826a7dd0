package weights

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/run"
)

// Web holds a graph that lies where transformers.js looks against what config.json
// tells it: it fetches so many files of weights, by its own names, and the graph
// whose numbers are float32. It returns the first thing that does not fit, "" where
// there is none, and of a graph that lies beside config.json.
func Web(info *run.GraphInfo, st store.Store) string {
	if filepath.Base(info.Dir()) != names.WebFolder || fsio.Absolute(info.Dir()) == fsio.Absolute(st.Root()) {
		return ""
	}
	const key = "transformers.js_config"
	file := filepath.Base(info.Path)
	graph := path.Join(names.WebFolder, file)
	is := webName(info)
	var config struct {
		Web *struct {
			Data  any    `json:"use_external_data_format"`
			DType string `json:"dtype"`
		} `json:"transformers.js_config"`
	}
	raw, err := fs.ReadFile(st.FS(), "config.json")
	if err == nil {
		err = json.Unmarshal(raw, &config)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("config.json: %v", err)
	case config.Web == nil:
		return fmt.Sprintf("config.json has no %s: a browser would look for another file than %s", key, graph)
	case is == "":
		return fmt.Sprintf("%s computes in %q with weights %q: transformers.js has no name for such a graph", graph, info.DType, info.Coding)
	case webFiles[is] != file:
		return fmt.Sprintf("%s is a graph of %s: transformers.js looks for that as %s", graph, is, webFiles[is])
	case config.Web.DType != is:
		return fmt.Sprintf("config.json's %s has the dtype %q: %s is that of %s", key, config.Web.DType, graph, is)
	}
	files := map[string]bool{}
	for _, t := range info.Model.GetGraph().GetInitializer() {
		if location, _, _ := run.External(t); location != "" {
			files[location] = true
		}
	}
	told := webCount(config.Web.Data, file)
	for i := range told {
		name := names.WebData(file, i)
		if _, err := os.Stat(filepath.Join(info.Dir(), name)); err != nil {
			return fmt.Sprintf("config.json's %s tells of %d files of weights, %s is not there", key, told, path.Join(names.WebFolder, name))
		}
		delete(files, name)
	}
	for name := range files {
		return fmt.Sprintf("%s has weights in %s, which is none of the %d files that config.json's %s tells of", graph, name, told, key)
	}
	return ""
}

// webCount is how many files of weights use_external_data_format says that the graph
// has: a number or true for every graph, or an object by their names.
func webCount(v any, file string) int {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
	case float64:
		return min(max(int(v), 0), names.MaxWebData)
	case map[string]any:
		for _, name := range []string{file, "model"} {
			if n, ok := v[name]; ok {
				return webCount(n, file)
			}
		}
	}
	return 0
}

// webFiles are the files that transformers.js 4.3.2 looks for, by what it calls a graph's
// numbers.
var webFiles = map[string]string{
	"fp32": "model.onnx", "fp16": "model_fp16.onnx", "q8": "model_quantized.onnx", "q4": "model_q4.onnx", "q4f16": "model_q4f16.onnx",
}

// webName is what it calls those of a graph, by what the graph says; "" for none.
func webName(info *run.GraphInfo) string {
	bits, _, _ := strings.Cut(info.Coding, ",")
	switch [2]string{info.DType, bits} {
	case [2]string{"", ""}:
		return "fp32"
	case [2]string{"float16", ""}:
		return "fp16"
	case [2]string{"", "int8"}:
		return "q8"
	case [2]string{"", "int4"}:
		return "q4"
	case [2]string{"float16", "int4"}:
		return "q4f16"
	}
	return ""
}
