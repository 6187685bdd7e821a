package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mianmi/mianmi/api/client"
)

// NodeOrder is what a server is started with, besides what all have.
type NodeOrder struct {
	DB    string        // address of the database
	Data  string        // folder of the keys
	Clock time.Duration // how far its clock is from the machine's

	// FileBytesMax bounds every file that it writes, where no small file system
	// can be had; 0: no bound.
	FileBytesMax int64
}

// node is a server process that is started again and again.
type node struct {
	n     int
	make  func(NodeOrder) *exec.Cmd
	order NodeOrder

	mu     sync.Mutex
	cmd    *exec.Cmd // nil: none runs
	gone   chan struct{}
	api    *client.Client
	life   int // how many processes there have been
	paused time.Time
	rested time.Time // when it was woken last
	cuts   map[int]context.CancelFunc
	cut    int

	log log
}

const (
	// startMax is how long a server may take to serve on a machine that is busy
	// with this test.
	startMax = time.Minute
	// patience is how long a caller waits for a node that does not move before
	// turning to another.
	patience = 2 * time.Second
)

// start runs a process and returns when it serves.
func (n *node) start(ctx context.Context) error {
	cmd := n.make(n.order)
	out, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	bindToParent(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %d: %w", n.n, err)
	}
	at, gone := make(chan string, 1), make(chan struct{})
	go func() {
		n.log.read(out, at)
		_ = cmd.Wait() // killed, or stopped
		close(gone)
	}()
	n.mu.Lock()
	n.cmd, n.gone, n.paused = cmd, gone, time.Time{}
	n.life++
	n.mu.Unlock()
	timeout := time.NewTimer(startMax)
	defer timeout.Stop()
	select {
	case addr := <-at:
		api, err := client.New("http://"+addr, client.Options{Conns: 64})
		n.mu.Lock()
		n.api = api
		n.mu.Unlock()
		return err
	case <-gone:
		return fmt.Errorf("node %d ended while it started:\n%s", n.n, n.log.tail(20))
	case <-timeout.C:
		return fmt.Errorf("node %d does not serve after %v:\n%s", n.n, startMax, n.log.tail(20))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now returns the client of the process that runs, and which process that is.
func (n *node) now() (api *client.Client, life int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.api, n.life
}

// signal tells the process; none runs: nothing happens.
func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(s)
	}
}

// kill ends the process as kill -9 does.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	n.wait()
}

// stop lets it finish what it has begun. It says whether that went well.
func (n *node) stop() error {
	n.signal(syscall.SIGTERM)
	t := time.AfterFunc(startMax, func() { n.signal(syscall.SIGKILL) })
	defer t.Stop()
	n.mu.Lock()
	cmd := n.cmd
	n.mu.Unlock()
	n.wait()
	if cmd != nil && cmd.ProcessState.ExitCode() != 0 {
		return fmt.Errorf("node %d ended with %v:\n%s", n.n, cmd.ProcessState, n.log.tail(20))
	}
	return nil
}

func (n *node) wait() {
	n.mu.Lock()
	gone := n.gone
	n.mu.Unlock()
	if gone == nil {
		return
	}
	<-gone
	n.mu.Lock()
	n.cmd, n.gone, n.api, n.paused = nil, nil, nil, time.Time{}
	n.mu.Unlock()
}

// pause stops the process where it is; callers lose their patience after a while.
func (n *node) pause() {
	n.signal(syscall.SIGSTOP)
	n.mu.Lock()
	n.paused = time.Now()
	n.mu.Unlock()
	time.AfterFunc(patience, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.paused.IsZero() {
			n.cutAll()
		}
	})
}

// resume lets a paused process go on.
func (n *node) resume() {
	n.mu.Lock()
	n.paused, n.rested = time.Time{}, time.Now()
	n.mu.Unlock()
	n.signal(syscall.SIGCONT)
}

func (n *node) cutAll() {
	for id, cancel := range n.cuts {
		cancel()
		delete(n.cuts, id)
	}
}

// impatient ends the context when the node has not moved for as long as a
// caller waits.
func (n *node) impatient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.paused.IsZero() {
		t := time.AfterFunc(patience, cancel)
		return ctx, func() { t.Stop(); cancel() }
	}
	if n.cuts == nil {
		n.cuts = map[int]context.CancelFunc{}
	}
	n.cut++
	id := n.cut
	n.cuts[id] = cancel
	return ctx, func() {
		n.mu.Lock()
		delete(n.cuts, id)
		n.mu.Unlock()
		cancel()
	}
}

// well reports whether this very process has run, unpaused, ever since.
func (n *node) well(life int, since time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil && n.life == life && n.paused.IsZero() && n.rested.Before(since)
}

// watch notices what would make a wait look longer than it was: this program,
// or a server, was stopped by somebody else (Ctrl-Z, a debugger, a frozen
// container).
func (s *stage) watch(ctx context.Context) {
	const every = 200 * time.Millisecond
	t := time.NewTicker(every)
	defer t.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		slept := time.Since(last) > 10*every
		last = time.Now()
		for _, n := range s.nodes {
			n.mu.Lock()
			if n.cmd != nil && (slept || stopped(n.cmd.Process.Pid)) {
				n.rested = last
			}
			n.mu.Unlock()
		}
	}
}

// log keeps the newest lines of a server's log, and what in it is a fault.
type log struct {
	mu     sync.Mutex
	lines  []string
	panics []string
}

// linesMax bounds what is kept of a log: the minutes before a fault.
const linesMax = 2000

// read takes lines until the log ends, and tells the address that it names.
func (l *log) read(r io.Reader, at chan<- string) {
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			l.add(strings.TrimSuffix(line, "\n"), at)
		}
		if err != nil {
			return
		}
	}
}

func (l *log) add(line string, at chan<- string) {
	var entry struct{ Msg, Address string }
	if err := json.Unmarshal([]byte(line), &entry); err == nil && entry.Msg == "serving" {
		at <- entry.Address
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, line); len(l.lines) > linesMax {
		l.lines = slices.Delete(l.lines, 0, linesMax/2)
	}
	if strings.Contains(line, "panic") && len(l.panics) < 10 {
		l.panics = append(l.panics, line)
	}
}

func (l *log) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "\n")
}

// of returns what the log says of a request, which may come a moment after the
// answer.
func (l *log) of(ctx context.Context, request string) string {
	for range 40 {
		l.mu.Lock()
		for _, line := range l.lines {
			if strings.Contains(line, `"request":"`+request+`"`) && strings.Contains(line, `"status"`) {
				l.mu.Unlock()
				return line
			}
		}
		l.mu.Unlock()
		pause(ctx, againAfter)
	}
	return "nothing"
}

// takePanics returns what the servers said of panics since it was asked last.
func (l *log) takePanics() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.panics
	l.panics = nil
	if len(list) == 0 {
		return nil
	}
	return errors.New(strings.Join(list, "\n"))
}
