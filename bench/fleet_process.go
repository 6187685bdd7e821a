package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ServerOrder is a line on the standard input of the server that is measured.
type ServerOrder struct {
	Broadcast  bool   `json:"broadcast,omitempty"`
	Settle     bool   `json:"settle,omitempty"`  // give memory back that is not in use
	Profile    string `json:"profile,omitempty"` // begin a CPU profile in this file
	EndProfile bool   `json:"end_profile,omitempty"`
	Heap       string `json:"heap,omitempty"` // write a heap profile to this file
}

// ServerDid is its answer.
type ServerDid struct {
	Began time.Time `json:"began"`
	Sent  int       `json:"sent"`
	Error string    `json:"error,omitempty"`
}

// child is a process that is spoken with in lines of JSON.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startChild(cmd *exec.Cmd) (*child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Args, err)
	}
	return &child{cmd, in, json.NewDecoder(out)}, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) tell(v any) error { return json.NewEncoder(c.in).Encode(v) }

func (c *child) hear(v any) error {
	if err := c.out.Decode(v); err != nil {
		return fmt.Errorf("a process of the bench has ended: %w", err)
	}
	return nil
}

func (c *child) ask(v, answer any) error {
	if err := c.tell(v); err != nil {
		return err
	}
	return c.hear(answer)
}

// stop ends it by the end of its input.
func (c *child) stop() error {
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

// server is the process that is measured.
type server struct {
	*child
	api, mqtt string // host:port
}

// logTail is what is kept of the server's log, for whoever asks why it ended.
const logTail = 16 << 10

// startServer starts it, and returns when it serves.
func startServer(ctx context.Context, cmd *exec.Cmd) (*server, error) {
	log, at := &serverLog{}, make(chan map[string]string, 1)
	cmd.Stderr = log
	log.serving = at
	c, err := startChild(cmd)
	if err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	watch := context.AfterFunc(ctx, func() { close(gone) })
	defer watch()
	t := time.NewTimer(startMax)
	defer t.Stop()
	select {
	case a := <-at:
		return &server{c, a["serving"], a["serving MQTT"]}, nil
	case <-t.C:
	case <-gone:
	}
	return nil, errors.Join(fmt.Errorf("the server does not serve; its log ends with:\n%s", log.tail()), cmd.Process.Kill())
}

// startMax is how long the server may take on a machine that is busy.
const startMax = 2 * time.Minute

func (s *server) ask(o ServerOrder, did *ServerDid) error {
	if err := s.child.ask(o, did); err != nil {
		return err
	}
	if did.Error != "" {
		return errors.New("the server: " + did.Error)
	}
	return nil
}

// serverLog reads where the server listens.
type serverLog struct {
	mu      sync.Mutex
	kept    []byte
	line    []byte
	at      map[string]string
	serving chan<- map[string]string
}

func (l *serverLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, b...)
	l.kept = l.kept[max(0, len(l.kept)-logTail):]
	l.line = append(l.line, b...)
	for {
		line, rest, whole := bytes.Cut(l.line, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.line = append([]byte(nil), rest...)
		l.read(line)
	}
}

func (l *serverLog) read(line []byte) {
	var e struct{ Msg, Address string }
	if json.Unmarshal(line, &e) != nil || e.Address == "" {
		return
	}
	if l.at == nil {
		l.at = map[string]string{}
	}
	l.at[e.Msg] = e.Address
	if l.at["serving"] != "" && l.serving != nil { // the last of its addresses
		l.serving <- l.at
		l.serving = nil
	}
}

func (l *serverLog) tail() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.kept...)
}

// residentKiB is the memory of a process that is in use (proc(5), VmRSS).
func residentKiB(pid int) (int64, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("the memory of the server is read from /proc, as Linux has it: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, found := bytes.CutPrefix(s.Bytes(), []byte("VmRSS:")); found {
			return strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(rest, []byte("kB")))), 10, 64)
		}
	}
	return 0, errors.New("the memory of the server is not known")
}

// filesBeside are open files of a process beside its connections to terminals.
const filesBeside = 300

// raiseFiles lets this process and those that it starts have a file for each
// terminal.
func raiseFiles(terminals int) error {
	want := uint64(terminals + filesBeside) //nolint:gosec // at most some thousands
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("ask how many files may be open: %w", err)
	}
	// Set in any case: only then do the processes that are started have it, too.
	l.Cur = max(l.Cur, min(want, l.Max))
	if l.Cur < want { // whoever is root may have more
		more := syscall.Rlimit{Cur: want, Max: want}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
			return nil
		}
		return fmt.Errorf("this system allows %d open files a process: at most %d terminals; raise it (ulimit -Hn) or name fewer",
			l.Max, max(int64(l.Max)-filesBeside, 0)) //nolint:gosec // a limit
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
