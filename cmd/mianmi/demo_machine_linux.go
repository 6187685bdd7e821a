package main

import (
	"os/exec"
	"syscall"
)

// endWithParent lets a process end when this one does, however it ends, and
// not by Ctrl-C, which is for the parent.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
