package safetensors

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

// residentFile gives the bytes of mapped files that are in this process's memory.
func residentFile(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("this system has no /proc: %v", err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssFile:")); ok {
			kb, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Skip("this kernel does not tell RssFile")
	return 0
}

// Going through a file leaves no more of it in memory than one piece, whether it
// has many tensors or one large one. Reading it through Bytes without Release
// keeps all of it, which shows that the measurement sees it.
func TestResidentMemoryStaysSmall(t *testing.T) {
	const size = 48 << 20
	many := big(t, t.TempDir(), size>>17, 128)
	large := one(t, tensor.BF16, []int64{size / 2}, bytes.Repeat([]byte{0x12, 0x3f}, size/2))
	for _, path := range []string{many, large} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if !f.Mapped() {
			t.Skip("this system does not map files")
		}
		before, peak := residentFile(t), int64(0)
		for _, info := range f.Tensors() {
			err := f.Walk(info.Name, func(_ int64, piece []byte) error {
				if _, found := tensor.NonFinite(piece, info.DType); found {
					return fmt.Errorf("%s: not finite", info.Name)
				}
				peak = max(peak, residentFile(t)-before)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if limit := int64(walkPiece + 2<<20); peak > limit {
			t.Errorf("%s: walking keeps %d MB resident, limit %d MB", path, peak>>20, limit>>20)
		}
		var sum byte
		for _, info := range f.Tensors() {
			data, err := f.Bytes(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(data); i += 4096 {
				sum += data[i]
			}
		}
		if held := residentFile(t) - before; held < size/2 {
			t.Errorf("%s: reading all of it shows only %d MB resident: the measurement is blind (%d)", path, held>>20, sum)
		}
		for _, info := range f.Tensors() {
			f.Release(info.Name)
		}
		if held := residentFile(t) - before; held > 1<<20 {
			t.Errorf("%s: %d MB stay after Release", path, held>>20)
		}
		f.Close()
	}
}
