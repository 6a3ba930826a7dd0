package fsio

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// here is the machine that this process runs on.
func here() machine {
	m := machine{}
	m.Host, _ = os.Hostname()
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		m.Boot = strings.TrimSpace(string(boot))
	}
	m.Pids, _ = os.Readlink("/proc/self/ns/pid")
	return m
}

// gone tells whether no process has that id. What cannot be told is not gone.
func gone(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	defer p.Release()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
