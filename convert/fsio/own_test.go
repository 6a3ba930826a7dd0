package fsio

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestOwn: what a process that ended left goes, what one that runs has stays, and so
// does another machine's, whose processes are not seen here.
func TestOwn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the process that ends is a shell's")
	}
	dir := filepath.Join(t.TempDir(), "a [b]*")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	ended := exec.Command("sh", "-c", "exit 0")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	dead := strconv.Itoa(ended.Process.Pid)
	stays := []string{".pecvt-try-" + host() + "-" + strconv.Itoa(os.Getppid()) + "-1", ".pecvt-try-" + host() + "x-" + dead + "-1", ".pecvt-other-" + host() + "-" + dead + "-1", ".pecvt-try-" + host() + "-x"}
	goes := ".pecvt-try-" + host() + "-" + dead + "-1"
	for _, name := range append(stays, goes) {
		if err := os.MkdirAll(filepath.Join(dir, name, "within"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	own, err := Own(dir, "try")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(filepath.Base(own), ".pecvt-try-"+host()+"-"+strconv.Itoa(os.Getpid())+"-") {
		t.Errorf("it is called %s", own)
	}
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, goes)); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", goes, err)
	}
}
