package mutants

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// keptPlanes changes how many planes a result of rope type llama3 turns: the border
// in wavelength moves by as many planes, in both of config.json's spellings.
func (f *Folder) keptPlanes(by int) {
	var c struct {
		Theta float64 `json:"rope_theta"`
	}
	check(json.Unmarshal(f.read("config.json"), &c))
	ratio := math.Pow(c.Theta, -2*float64(by)/float64(f.headDim()))
	moved := 0
	factor := regexp.MustCompile(`("(?:low|high)_freq_factor": )([0-9.]+)`)
	data := factor.ReplaceAllFunc(f.read("config.json"), func(found []byte) []byte {
		parts := factor.FindSubmatch(found)
		x, err := strconv.ParseFloat(string(parts[2]), 64)
		check(err)
		moved++
		return append(bytes.Clone(parts[1]), strconv.FormatFloat(x*ratio, 'f', -1, 64)...)
	})
	if moved != 4 {
		fail("config.json has %d frequency factors, expected four", moved)
	}
	f.write("config.json", data)
}

// headDim is the head size that config.json gives.
func (f *Folder) headDim() int {
	var c struct {
		HeadDim int `json:"head_dim"`
		Hidden  int `json:"hidden_size"`
		Heads   int `json:"num_attention_heads"`
	}
	check(json.Unmarshal(f.read("config.json"), &c))
	if c.HeadDim == 0 {
		c.HeadDim = c.Hidden / c.Heads
	}
	return c.HeadDim
}

// planeFactor changes the factor of a plane in short_factor and long_factor.
func (f *Folder) planeFactor(plane int, to string) {
	f.factors("short", plane, to)
	f.factors("long", plane, to)
}

// factors changes the factor of a plane in one of the two lists, in both of
// config.json's spellings.
func (f *Folder) factors(which string, plane int, to string) {
	data := f.read("config.json")
	list := regexp.MustCompile(`(?s)"` + which + `_factor": \[(.*?)\]`)
	n := 0
	data = list.ReplaceAllFunc(data, func(found []byte) []byte {
		open := bytes.IndexByte(found, '[')
		items := bytes.Split(found[open+1:len(found)-1], []byte(","))
		if plane >= len(items) {
			fail("%d factors", len(items))
		}
		items[plane] = []byte(" " + to)
		n++
		return append(append(bytes.Clone(found[:open+1]), bytes.Join(items, []byte(","))...), ']')
	})
	if n != 2 {
		fail("config.json has %d lists of %s factors", n, which)
	}
	f.write("config.json", data)
}

// header writes a tensor file anew with another header.
func (f *Folder) header(file string, change func(h map[string]json.RawMessage)) {
	data := f.read(file)
	n := int(binary.LittleEndian.Uint64(data))
	var header map[string]json.RawMessage
	check(json.Unmarshal(data[8:8+n], &header))
	change(header)
	text, err := json.Marshal(header)
	check(err)
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	f.write(file, append(append(out, text...), data[8+n:]...))
}

// exchangeNames swaps two tensors' entries in a header of the same length.
func (f *Folder) exchangeNames(a, b string) {
	_, at := f.where(a)
	file := filepath.Base(at.File)
	data := f.read(file)
	n := int(binary.LittleEndian.Uint64(data))
	var header map[string]json.RawMessage
	check(json.Unmarshal(data[8:8+n], &header))
	header[a], header[b] = header[b], header[a]
	text, err := json.Marshal(header)
	check(err)
	if len(text) > n {
		fail("the header grows from %d to %d bytes", n, len(text))
	}
	copy(data[8:], append(text, bytes.Repeat([]byte(" "), n-len(text))...))
	f.write(file, data)
}

// untie stores a head beside the embedding it was tied to, its rows one further.
func (f *Folder) untie() {
	info, at := f.where("model.embed_tokens.weight")
	file := filepath.Base(at.File)
	head := tensorBytes(f.dir, "model.embed_tokens.weight")
	moved(head, int(info.Shape[0]), func(i int) int { return (i + 1) % int(info.Shape[0]) })
	data := f.read(file)
	end := int64(len(data)) - 8 - int64(binary.LittleEndian.Uint64(data))
	f.write(file, append(data, head...))
	f.header(file, func(h map[string]json.RawMessage) {
		shape, err := json.Marshal(info.Shape)
		check(err)
		h["lm_head.weight"] = json.RawMessage(`{"dtype":"BF16","shape":` + string(shape) + `,"data_offsets":[` + strconv.FormatInt(end, 10) + `,` + strconv.FormatInt(end+int64(len(head)), 10) + `]}`)
	})
	f.config(`"tie_word_embeddings": true`, `"tie_word_embeddings": false`)
}

// elsewhere makes another conversion beside the folder and returns its path.
func (f *Folder) elsewhere(base string) string {
	b, err := find(base)
	check(err)
	dir := f.dir + "-" + base
	_, err = b.Convert(context.Background(), f.testdata, dir)
	check(err)
	check(b.Emit(dir))
	return dir
}

func (f *Folder) copyFrom(dir, name string) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	check(err)
	f.write(name, data)
}

// graphOf puts another conversion's graph into the folder.
func (f *Folder) graphOf(base string) { f.copyFrom(f.elsewhere(base), "model.onnx") }

// manifest puts another conversion's manifest into the folder.
func (f *Folder) manifest(base string) { f.copyFrom(f.elsewhere(base), "pecvt.json") }
