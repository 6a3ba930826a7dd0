package torchfile

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pickleOf spells {"w": _rebuild_tensor_v2(storage, offset, size, stride)}.
func pickleOf(class, elements, offset, size, stride string) string {
	return "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagec" + class + "\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + elements + "tQ" +
		offset + size + stride + "\x89NtRs."
}

const float = "torch\nFloatStorage"

func archive(t *testing.T, members map[string]string, method uint16) string {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range []string{"a/data.pkl", "a/byteorder", "a/data/0", "b/data.pkl", "a/constants.pkl"} {
		text, ok := members[name]
		if !ok {
			continue
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.pt")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Hostile and damaged archives end in one error; the sound ones among them open.
func TestDamage(t *testing.T) {
	const data = "0123456789abcdef" // 4 floats
	sound := pickleOf(float, "K\x04", "K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86")
	with := func(p string) map[string]string { return map[string]string{"a/data.pkl": p, "a/data/0": data} }
	for name, c := range map[string]struct {
		members map[string]string
		method  uint16
		want    string
	}{
		"sound":             {with(sound), zip.Store, ""},
		"little":            {map[string]string{"a/data.pkl": sound, "a/data/0": data, "a/byteorder": "little"}, zip.Store, ""},
		"big":               {map[string]string{"a/data.pkl": sound, "a/data/0": data, "a/byteorder": "big"}, zip.Store, `byte order "big"`},
		"compressed":        {with(sound), zip.Deflate, "compressed"},
		"no storage":        {map[string]string{"a/data.pkl": sound}, zip.Store, "storage data/0 is missing"},
		"no pickle":         {map[string]string{"a/data/0": data}, zip.Store, "without data.pkl"},
		"two pickles":       {map[string]string{"a/data.pkl": sound, "b/data.pkl": sound}, zip.Store, "two checkpoints"},
		"script":            {map[string]string{"a/data.pkl": sound, "a/constants.pkl": "."}, zip.Store, "TorchScript"},
		"short storage":     {map[string]string{"a/data.pkl": sound, "a/data/0": data[:12]}, zip.Store, "has 12 bytes: 4 elements of F32 need 16"},
		"past the end":      {with(pickleOf(float, "K\x04", "K\x01", "K\x02K\x02\x86", "K\x02K\x01\x86")), zip.Store, "at offset 1: the storage has 4 elements"},
		"negative offset":   {with(pickleOf(float, "K\x04", "J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85")), zip.Store, "at offset -1"},
		"negative size":     {with(pickleOf(float, "K\x04", "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85")), zip.Store, `tensor "w"`},
		"negative stride":   {with(pickleOf(float, "K\x04", "K\x00", "K\x02\x85", "J\xff\xff\xff\xff\x85")), zip.Store, "expected none below 0"},
		"huge size":         {with(pickleOf(float, "K\x04", "K\x00", strings.Repeat("J\xff\xff\xff\x7f", 3)+"\x87", "K\x00K\x00K\x00\x87")), zip.Store, `tensor "w"`},
		"huge stride":       {with(pickleOf(float, "K\x04", "K\x00", "K\x02K\x02\x86", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x86")), zip.Store, "larger than any file"},
		"repeated elements": {with(pickleOf(float, "K\x04", "K\x00", "K\x64\x85", "K\x00\x85")), zip.Store, "repeated elements"},
		"many elements":     {with(pickleOf(float, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\x00", "K\x01\x85", "K\x01\x85")), zip.Store, "elements"},
		"ranks differ":      {with(pickleOf(float, "K\x04", "K\x00", "K\x02K\x02\x86", "K\x02\x85")), zip.Store, "no such thing"},
		"size of strings":   {with(pickleOf(float, "K\x04", "K\x00", "X\x01\x00\x00\x00a\x85", "K\x02\x85")), zip.Store, "no such thing"},
		"other global":      {with(pickleOf("builtins\neval", "K\x04", "K\x00", "K\x02\x85", "K\x01\x85")), zip.Store, "asks for builtins.eval"},
		"storage of Size":   {with(pickleOf("torch\nSize", "K\x04", "K\x00", "K\x02\x85", "K\x01\x85")), zip.Store, "in a way that torch does not"},
		"truncated":         {with(sound[:40]), zip.Store, "the pickle"},
		"no stop":           {with(sound[:len(sound)-1]), zip.Store, "without a STOP"},
		"long string":       {with("\x80\x02}X\xff\xff\xff\x7fw."), zip.Store, "its length is 2147483647"},
		"longer string":     {with("\x80\x02}\x8d\xff\xff\xff\xff\xff\xff\xff\x7fw."), zip.Store, "opcode 0x8d"},
		"frame":             {with("\x80\x04\x95\xff\xff\xff\xff\x00\x00\x00\x00}."), zip.Store, "ends outside it"},
		"extension":         {with("\x80\x02\x82\x01."), zip.Store, "opcode 0x82"},
		"last opcode":       {with("\x80\x02\xff."), zip.Store, "opcode 0xff"},
		"marks":             {with("\x80\x02" + strings.Repeat("(", 1000) + "."), zip.Store, "open marks"},
		"empty integer":     {with("\x80\x02\x8a\x00."), zip.Store, "damaged"},
		"odd items":         {with("\x80\x02}(K\x01u."), zip.Store, "damaged"},
		"key of a list":     {with("\x80\x02ccollections\nOrderedDict\n)R]C\x01as."), zip.Store, "holds no tensor"},
		"a number":          {with("\x80\x02K\x01."), zip.Store, "expected a dictionary"},
		"itself":            {with("\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."), zip.Store, "holds no tensor"},
		"number as key":     {with(strings.Replace(sound, "X\x01\x00\x00\x00w", "K\x07", 1)), zip.Store, "a key that is no string"},
		"twice":             {with(sound[:len(sound)-1] + sound[3:]), zip.Store, `tensor "w" occurs twice`},
		"nothing on stack":  {with("\x80\x02R."), zip.Store, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(archive(t, c.members, c.method))
			if err == nil {
				f.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q in it", err, c.want)
			case err != nil && len(err.Error()) > 600:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// A file cut anywhere is an error, never a panic.
func TestTruncatedFile(t *testing.T) {
	data, err := os.ReadFile("testdata/kinds.pt")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pt")
	for n := 0; n < len(data); n += 97 {
		if err := os.WriteFile(path, data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%d of %d bytes were opened", n, len(data))
		}
	}
}

func FuzzPickle(f *testing.F) {
	for _, name := range []string{"kinds.pt", "kinds-protocol4.pt", "training.pt", "malicious.pt", "module.pt"} {
		z, err := zip.OpenReader(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range z.File {
			if strings.HasSuffix(m.Name, "data.pkl") {
				r, err := m.Open()
				if err != nil {
					f.Fatal(err)
				}
				var buf bytes.Buffer
				if _, err := buf.ReadFrom(r); err != nil {
					f.Fatal(err)
				}
				f.Add(buf.Bytes())
			}
		}
		z.Close()
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := stateDict(data)
		if err != nil {
			return
		}
		for _, e := range list {
			elements := int64(1)
			for _, s := range e.view.size {
				elements *= s
			}
			if room := e.view.storage.elements * 8; elements < 0 || elements > room {
				t.Fatalf("tensor %q of shape %v over %d elements", e.name, e.view.size, e.view.storage.elements)
			}
		}
	})
}
