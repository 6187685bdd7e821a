//go:build !linux

package torture

import (
	"errors"
	"os/exec"
)

func bindToParent(*exec.Cmd) {}

func (n *node) unbind() error { return errors.New("the bound on files is lifted on Linux alone") }

func stopped(int) bool { return false }
