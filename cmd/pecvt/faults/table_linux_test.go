package faults

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// writeTable puts what the suite found into a page, between the marks of a name.
func writeTable(path, name, command string, rows []*row) error {
	tableBegin, tableEnd := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(page, []byte(tableBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no table of %s", path, name)
	}
	var t strings.Builder
	t.Write(before)
	t.WriteString(tableBegin)
	fmt.Fprintf(&t, "`%s`, %s, %d processors, Linux %s, %s:\n\n", command, time.Now().Format("2 January 2006"), runtime.NumCPU(), release(), fileSystem())
	t.WriteString("| command | fault | trials | died or failed of it | source changed | half results | not finished by the same command | temporary folders, at most | left after the next run |\n")
	t.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s | %s | %d | %d | %d | %d | %d | %d | %d |\n", r.job, r.fault, r.trials, r.midway, r.changed, r.half, r.unfinished, r.most, r.remains)
	}
	t.WriteString(tableEnd)
	t.Write(after)
	return os.WriteFile(path, []byte(t.String()), 0o644)
}

func release() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "?"
	}
	var text []byte
	for _, c := range u.Release {
		if c == 0 || c == '-' {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}

// fileSystem names that of the trials.
func fileSystem() string {
	var st syscall.Statfs_t
	if syscall.Statfs(os.TempDir(), &st) != nil {
		return "?"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlay"}
	if name := names[int64(st.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("file system %#x", st.Type)
}
