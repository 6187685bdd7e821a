// Package natstest runs NATS servers as processes of their own for tests, which
// may kill them.
package natstest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// variable makes a test program a NATS server with the configuration file that
// it names.
const variable = "MIANMI_TEST_NATS"

// readyMax is how long a server may take to start on a slow machine.
const readyMax = time.Minute

// Main is called first by a TestMain whose tests call Start: in a process that
// Start made it serves and does not return.
func Main() {
	file := os.Getenv(variable)
	if file == "" {
		return
	}
	if err := serve(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs until its standard input ends: with the test that started it.
func serve(file string) error {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return err
	}
	o.NoSigs, o.NoLog = true, true
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(readyMax) {
		return fmt.Errorf("not ready: %s", file)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	return nil
}

// Server is a NATS server in a process of its own.
type Server struct {
	cmd *exec.Cmd
	in  io.Closer // the server ends with it
}

// Start runs a server in dir, where its configuration lies, until the test ends.
func Start(t *testing.T, dir, file string) *Server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := &Server{cmd: exec.Command(self)} //nolint:gosec,noctx // this test binary; Kill ends it
	n.cmd.Dir, n.cmd.Stderr = dir, os.Stderr
	n.cmd.Env = append(os.Environ(), variable+"="+file)
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("a NATS server did not start: %q, %v", line, err)
	}
	return n
}

// Kill ends the server as a power loss would.
func (n *Server) Kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}
