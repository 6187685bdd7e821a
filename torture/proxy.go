package torture

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// weather is what a proxy does to what passes through it.
type weather int

const (
	fair   weather = iota
	slow           // every piece waits for slowBy
	hole           // nothing passes and nobody is told
	closed         // connections are refused, those that stood are cut
)

// slowBy is how long each piece of traffic waits in slow weather: a statement
// and its answer take twice as long.
const slowBy = 25 * time.Millisecond

// proxy stands between the servers and a database, on the loopback address.
type proxy struct {
	to   string
	l    net.Listener
	done sync.WaitGroup

	mu      sync.Mutex
	weather weather
	change  chan struct{} // closed at the next change of the weather
	conns   map[net.Conn]struct{}
	ended   bool
}

// newProxy listens on a free port and leads to the address.
func newProxy(ctx context.Context, to string) (*proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{to: to, l: l, conns: map[net.Conn]struct{}{}, change: make(chan struct{})}
	p.done.Go(func() { p.accept(ctx) })
	return p, nil
}

func (p *proxy) addr() string { return p.l.Addr().String() }

// stop cuts everything and returns when it is gone.
func (p *proxy) stop() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	_ = p.l.Close()
	p.set(closed)
	p.done.Wait()
}

// set changes the weather.
func (p *proxy) set(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.change)
	p.change = make(chan struct{})
	if w == closed {
		p.cutLocked()
	}
}

// cut ends every connection that stands, with a reset.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

func (p *proxy) cutLocked() {
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a machine that lost its memory
		}
		_ = c.Close()
	}
}

// keep remembers a connection; false when the weather lets none stand.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.weather == closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *proxy) accept(ctx context.Context) {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		if !p.keep(c) {
			_ = c.Close()
			continue
		}
		p.done.Go(func() { p.serve(ctx, c) })
	}
}

func (p *proxy) serve(ctx context.Context, c net.Conn) {
	defer p.drop(c)
	if !p.pass() {
		return
	}
	d, err := new(net.Dialer).DialContext(ctx, "tcp", p.to)
	if err != nil {
		return
	}
	if !p.keep(d) {
		_ = d.Close()
		return
	}
	defer p.drop(d)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, d}, {d, c}} {
		both.Go(func() {
			p.copy(way[1], way[0])
			_, _ = way[0].Close(), way[1].Close() // the other way ends too
		})
	}
	both.Wait()
}

// copy carries pieces until one side ends. What was under way when a side
// went is lost, as it is in a network.
func (p *proxy) copy(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if !p.pass() {
				return
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass holds a piece back as the weather wants it; false when it is lost. What
// has fallen into a hole stays there: the connection has to be given up.
func (p *proxy) pass() bool {
	p.mu.Lock()
	w, change := p.weather, p.change
	p.mu.Unlock()
	switch w {
	case slow:
		t := time.NewTimer(slowBy)
		defer t.Stop()
		select {
		case <-t.C:
		case <-change:
		}
	case hole:
		<-change
		return false
	case closed:
		return false
	case fair:
	}
	return true
}
