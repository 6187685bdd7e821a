//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// replaceProcess starts the program anew and ends this one, where a process
// cannot be replaced.
func replaceProcess(program string, args, environ []string) error {
	c := exec.Command(program, args[1:]...) //nolint:gosec // the program itself
	c.Env, c.Stdin, c.Stdout, c.Stderr = environ, os.Stdin, os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}
