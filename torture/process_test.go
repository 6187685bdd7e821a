package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/mianmi/mianmi/store"
)

// nodeVariable makes this test program a server: it takes a setup and then
// operations, one a line, and answers each when it is done.
const nodeVariable = "MIANMI_TORTURE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type question struct {
	N  int
	Op op
}

type answer struct {
	N     int
	Reply reply
}

func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	d, e := json.NewDecoder(in), json.NewEncoder(out)
	var s setup
	if err := d.Decode(&s); err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	db, err := store.Open(ctx, s.DSN, store.Options{ConnsMax: 8, CacheKiB: 4096})
	if err != nil {
		return err
	}
	node, err := newSite(ctx, db, s, nil)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var busy sync.WaitGroup
	say := func(a answer) error {
		mu.Lock()
		defer mu.Unlock()
		return e.Encode(a)
	}
	if err := say(answer{N: -1}); err != nil { // ready
		return err
	}
	for {
		var q question
		err := d.Decode(&q)
		if errors.Is(err, io.EOF) {
			busy.Wait()
			node.Payments.Stop()
			return db.Close()
		}
		if err != nil {
			return err
		}
		busy.Go(func() {
			if err := say(answer{q.N, node.do(ctx, q.Op)}); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
}

// process is a running server.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu      sync.Mutex
	n       int
	waiting map[int]chan reply
	gone    chan struct{} // closed when it has ended
}

// start runs this test program as a server and waits until it is ready.
func start(t *testing.T, s setup) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(self), waiting: map[int]chan reply{}, gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), nodeVariable+"=1")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan reply, 1)
	p.waiting[-1] = ready
	go p.listen(stdout)
	if err := json.NewEncoder(p.stdin).Encode(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ready:
	case <-p.gone:
		t.Fatal("the server did not start")
	}
	return p
}

func (p *process) listen(out io.Reader) {
	d := json.NewDecoder(bufio.NewReader(out))
	for {
		var a answer
		if err := d.Decode(&a); err != nil {
			break
		}
		p.mu.Lock()
		ch := p.waiting[a.N]
		delete(p.waiting, a.N)
		p.mu.Unlock()
		ch <- a.Reply
	}
	_ = p.cmd.Wait() // killed, or ended by stop
	close(p.gone)
}

// do asks the process; false when it ended before it answered.
func (p *process) do(_ context.Context, o op) (reply, bool) {
	ch := make(chan reply, 1)
	p.mu.Lock()
	p.n++
	p.waiting[p.n] = ch
	err := json.NewEncoder(p.stdin).Encode(question{p.n, o})
	p.mu.Unlock()
	if err != nil {
		return reply{}, false
	}
	select {
	case r := <-ch:
		return r, true
	case <-p.gone:
	}
	select { // answered and then killed
	case r := <-ch:
		return r, true
	default:
		return reply{}, false
	}
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// stop lets it finish what it has begun.
func (p *process) stop() {
	p.mu.Lock()
	_ = p.stdin.Close()
	p.mu.Unlock()
	<-p.gone
}
