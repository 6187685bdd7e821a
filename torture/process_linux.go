package torture

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindToParent lets the kernel kill the process when this one ends, however it
// ends: a test that is killed leaves no servers behind.
func bindToParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for the parent, which stops them
}

// unbind lifts the bound on the files of a process that runs.
func (n *node) unbind() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return nil
	}
	var l unix.Rlimit
	if err := unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &l); err != nil {
		return fmt.Errorf("read the bound of node %d: %w", n.n, err)
	}
	l.Cur = l.Max
	if err := unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_FSIZE, &l, nil); err != nil {
		return fmt.Errorf("lift the bound of node %d: %w", n.n, err)
	}
	return nil
}

// stopped reports whether a process stands still by a signal (proc(5), stat).
func stopped(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // the name may hold anything
	return len(rest) > 0 && (rest[0] == 'T' || rest[0] == 't')
}
