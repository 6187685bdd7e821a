package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/demo"
)

// demoMachines starts the demo's terminals: this program again, as mianmi
// terminal, each as a process on a folder of its own.
type demoMachines struct {
	dir  string // of all of them
	host string // HOST:PORT of the server for terminals
	lang mianmi.Lang
	log  string // level
	env  []string

	mu   sync.Mutex
	list []*demoMachine
}

// start implements demo.Stage.Machine.
func (d *demoMachines) start(ctx context.Context, s demo.MachineStart) (demo.Machine, error) {
	m := &demoMachine{dir: filepath.Join(d.dir, s.Name), env: d.env}
	if err := os.RemoveAll(m.dir); err != nil { // of an earlier run: a terminal begins empty
		return nil, err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if m.way, err = newWay(ctx, d.host); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.list = append(d.list, m)
	d.mu.Unlock()
	screen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	m.screen = "http://" + screen
	m.args = []string{"terminal", "--data=" + m.dir, "--host=https://" + m.way.address(), "--code=" + s.Code, "--model=" + s.Family,
		"--screen=" + screen, "--no-mqtt", "--lang=" + mianmi.Text{ZH: "zh", EN: "en"}.In(d.lang), "--log-level=" + d.log}
	if err := m.powerOn(ctx); err != nil {
		return nil, err
	}
	return m, m.answers(ctx)
}

// stop ends all of them.
func (d *demoMachines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.list {
		m.powerOff()
		m.way.close()
	}
}

// demoMachine is a terminal's program, running.
type demoMachine struct {
	dir, screen string
	args, env   []string
	way         *way
	cmd         *exec.Cmd
}

// Screen implements demo.Machine.
func (m *demoMachine) Screen() string { return m.screen }

// Cut implements demo.Machine.
func (m *demoMachine) Cut() { m.way.set(true) }

// Mend implements demo.Machine.
func (m *demoMachine) Mend() { m.way.set(false) }

// PullPlug implements demo.Machine.
func (m *demoMachine) PullPlug(ctx context.Context) error {
	m.powerOff()
	if err := m.powerOn(ctx); err != nil {
		return err
	}
	return m.answers(ctx)
}

func (m *demoMachine) powerOn(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(m.dir, "terminal.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()                                                        //nolint:errcheck // the process has its own
	m.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, m.args...) //nolint:gosec // this program
	m.cmd.Env = append(slices.Clone(m.env), "TZ=Asia/Shanghai")              // where the example world is
	m.cmd.Stdout, m.cmd.Stderr = log, log
	endWithParent(m.cmd)
	return m.cmd.Start()
}

func (m *demoMachine) powerOff() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	_ = m.cmd.Process.Kill() // it may have ended
	_ = m.cmd.Wait()         // killed: that is its status
}

// machineMax is how long a terminal may take to show its screen.
const machineMax = 30 * time.Second

// answers waits until the screen is there.
func (m *demoMachine) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, machineMax)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", m.screen[len("http://"):])
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the terminal does not show its screen; see %s", filepath.Join(m.dir, "terminal.log"))
		}
	}
}

// freeAddress is a port of this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// way is a terminal's way to the host, which can be cut.
type way struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func newWay(ctx context.Context, to string) (*way, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &way{to: to, l: l, conns: map[net.Conn]struct{}{}}
	go w.accept(context.WithoutCancel(ctx))
	return w, nil
}

func (w *way) address() string { return w.l.Addr().String() }

func (w *way) accept(ctx context.Context) {
	for {
		c, err := w.l.Accept()
		if err != nil {
			return // closed
		}
		go w.carry(ctx, c)
	}
}

func (w *way) carry(ctx context.Context, in net.Conn) {
	defer w.drop(in)
	out, err := new(net.Dialer).DialContext(ctx, "tcp", w.to)
	if err != nil {
		return
	}
	defer w.drop(out)
	if !w.keep(in, out) {
		return
	}
	go func() {
		_, _ = io.Copy(out, in) // it ends when either is closed
		w.drop(out)
	}()
	_, _ = io.Copy(in, out)
}

func (w *way) keep(list ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, c := range list {
		w.conns[c] = struct{}{}
	}
	return true
}

func (w *way) drop(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	_ = c.Close() // it may be closed
}

func (w *way) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if !cut {
		return
	}
	for c := range w.conns {
		_ = c.Close() // those who carry it drop it
	}
}

func (w *way) close() {
	w.set(true)
	_ = w.l.Close() // nothing is lost with it
}
