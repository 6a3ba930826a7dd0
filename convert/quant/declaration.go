package quant

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// Declaration is what a checkpoint says of how its weights are quantised.
type Declaration struct {
	// Where names the file and the key.
	Where string
	// Method is quant_method, in lower case; "modelopt" also where a file of that
	// quantiser says so.
	Method string
	// Dict is the dictionary.
	Dict map[string]json.RawMessage

	groups func() ([]scheme, error)              // what schemes gives
	extra  map[string]map[string]json.RawMessage // extra_config
	sizes  map[string][2]int64                   // of blocks, by their text
}

// SideFile declares quantised weights where config.json does not.
const SideFile = "hf_quant_config.json"

// Declared reads the declaration beside a checkpoint's tensors; nil where there is
// none, or where config.json is not there or no dictionary, of which others tell.
func Declared(files fs.FS) *Declaration {
	if files == nil {
		return nil
	}
	config := dictOf(files, "config.json")
	if own := inside(inside(config["pecvt"])["source"]); own != nil { // a result that no stock configuration can say
		config = own
	}
	for _, outer := range []map[string]json.RawMessage{config, inside(config["text_config"])} {
		for _, key := range []string{"quantization_config", "compression_config"} {
			if d := inside(outer[key]); d != nil {
				found := &Declaration{Where: fmt.Sprintf("key %q of config.json", key), Dict: d}
				if found.Method = strings.ToLower(found.Text("quant_method")); found.Method == "" && found.Text("quant_algo") != "" {
					found.Method = "modelopt"
				}
				if found.Method == "intel/auto-round" { // its first name
					found.Method = autoRound
				}
				return found
			}
		}
	}
	if d := inside(dictOf(files, SideFile)["quantization"]); d != nil {
		return &Declaration{Where: SideFile, Method: "modelopt", Dict: d}
	}
	return nil
}

func dictOf(files fs.FS, name string) map[string]json.RawMessage {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil
	}
	return inside(raw)
}

func inside(raw json.RawMessage) map[string]json.RawMessage {
	var d map[string]json.RawMessage
	if json.Unmarshal(raw, &d) != nil {
		return nil
	}
	return d
}

// Text gives a string of the dictionary, "" where it is no string.
func (d *Declaration) Text(key string) string {
	var s string
	_ = json.Unmarshal(d.Dict[key], &s) // what is no string is none
	return s
}

// Has reports whether a key is there and not null.
func (d *Declaration) Has(key string) bool {
	raw := string(d.Dict[key])
	return raw != "" && raw != "null"
}

// Block gives the rows and columns of a module's blocks of scales, 0 where none is
// declared: weight_block_size, or block_structure of the groups that the module is of.
func (d *Declaration) Block(module string) (rows, columns int64, err error) {
	raw := d.Dict["weight_block_size"]
	if d.groups == nil { // it is asked for every weight
		list, err := d.schemes()
		d.groups = func() ([]scheme, error) { return list, err }
	}
	groups, err := d.groups()
	if err != nil {
		return 0, 0, err
	}
	for _, g := range nearest(groups, module) {
		if b := g.Block; b != nil && string(b) != "null" {
			if raw != nil && string(raw) != string(b) {
				return 0, 0, fmt.Errorf("%s declares blocks of %s and of %s for %s: expected one size", d.Where, raw, b, module)
			}
			raw = b
		}
	}
	if raw == nil || string(raw) == "null" {
		return 0, 0, nil
	}
	if found, ok := d.sizes[string(raw)]; ok {
		return found[0], found[1], nil
	}
	var sizes []int64
	if err := json.Unmarshal(raw, &sizes); err != nil || len(sizes) != 2 || sizes[0] <= 0 || sizes[1] <= 0 {
		return 0, 0, fmt.Errorf("%s has blocks of %s: expected rows and columns, such as [128, 128]", d.Where, raw)
	}
	if d.sizes == nil {
		d.sizes = map[string][2]int64{}
	}
	d.sizes[string(raw)] = [2]int64(sizes)
	return sizes[0], sizes[1], nil
}

// lower gives the first of some keys that has a text, in lower case; "" is none.
func (d *Declaration) lower(keys ...string) string {
	for _, key := range keys {
		if text := d.Text(key); text != "" {
			return strings.ToLower(text)
		}
	}
	return ""
}

// number gives the first of some keys that has a whole number.
func (d *Declaration) number(keys ...string) (int64, bool) {
	for _, key := range keys {
		var n int64
		if d.Has(key) && json.Unmarshal(d.Dict[key], &n) == nil {
			return n, true
		}
	}
	return 0, false
}

// flag gives a key that is true or false.
func (d *Declaration) flag(key string) (value, ok bool) {
	ok = d.Has(key) && json.Unmarshal(d.Dict[key], &value) == nil
	return value, ok
}
