package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
)

// Delivered is how fast a receiver that answers at once had its messages.
type Delivered struct {
	Name     string  `json:"name"`
	Messages int64   `json:"messages"`
	Seconds  float64 `json:"seconds"`
	PerSec   float64 `json:"messages_per_second"`
	// CPU in microseconds a message: of this process (sender and receiver
	// together) and of the database server.
	CPU float64 `json:"cpu_us"`
}

// String is one line for people.
func (d Delivered) String() string {
	return fmt.Sprintf("%-40s %9.0f messages/s  %d messages in %.2f s  CPU %6.1f us", d.Name, d.PerSec, d.Messages, d.Seconds, d.CPU)
}

// WebhookFigures is what a run of Webhooks measured.
type WebhookFigures struct {
	Idle    Idle      `json:"webhooks_of_others"`
	Quiet   Figures   `json:"nobody_listens"`
	Written Figures   `json:"facts_written"`
	Sent    Figures   `json:"facts_written_and_sent"`
	Alone   Delivered `json:"alone"`
	Beside  Delivered `json:"beside_receivers_that_hang"`
}

// hanging is how many receivers hang beside the one that is measured.
const hanging = 8

// Webhooks measures what telling costs payments, and how fast a receiver has
// its messages, alone and beside receivers that take a connection and say nothing.
func Webhooks(ctx context.Context, o Options) (f WebhookFigures, err error) {
	db, err := store.Open(ctx, o.DSN, store.Options{ConnsMax: 100})
	if err != nil {
		return f, err
	}
	defer db.Close() //nolint:errcheck // the run is over
	if _, err := db.Migrate(ctx); err != nil {
		return f, err
	}
	d, err := newParts(db, o)
	if err != nil {
		return f, err
	}
	if err := load(ctx, db, o.Payers, o.Clock.Now()); err != nil {
		return f, err
	}
	b := &hookBench{o: o, parts: d}
	if b.world, err = newWorld(ctx, d, o.Payers, strconv.FormatInt(o.Clock.Now().UnixMicro(), 36)); err != nil {
		return f, err
	}
	if b.svc, err = d.service(ctx, o); err != nil {
		return f, err
	}
	defer b.svc.Stop()
	return b.run(ctx)
}

// hookBench is a run of Webhooks.
type hookBench struct {
	o     Options
	parts parts
	world *World
	svc   *payment.Service
	hooks *notice.Service
	guard *notice.Guard

	url string // of the receiver that works

	took atomic.Int64 // messages that the receiver that works has taken
	told int64        // facts that were written for it
}

func (b *hookBench) run(ctx context.Context) (f WebhookFigures, err error) {
	stop, err := b.listen(ctx)
	if err != nil {
		return f, err
	}
	defer stop()
	if f.Idle, err = b.idle(ctx); err != nil {
		return f, err
	}
	if f.Quiet, err = b.pay(ctx, "nobody listens", false); err != nil {
		return f, err
	}
	if err := b.hook(ctx, b.url, "payment.*"); err != nil {
		return f, err
	}
	if f.Written, err = b.pay(ctx, "facts are written", true); err != nil {
		return f, err
	}
	if f.Alone, err = b.drain(ctx, "a receiver alone"); err != nil {
		return f, err
	}
	s, err := b.start(ctx)
	if err != nil {
		return f, err
	}
	f.Sent, err = b.pay(ctx, "facts are written and sent", true)
	s.Stop()
	if err == nil {
		_, err = b.drain(ctx, "the rest")
	}
	if err == nil {
		err = b.hang(ctx)
	}
	if err == nil {
		_, err = b.pay(ctx, "", true)
	}
	if err == nil {
		f.Beside, err = b.drain(ctx, fmt.Sprintf("beside %d that hang", hanging))
	}
	return f, err
}

// pay makes payments for the length of the run; told says that each is a fact
// for the receiver.
func (b *hookBench) pay(ctx context.Context, name string, told bool) (Figures, error) {
	b.world.run = name + strconv.FormatInt(b.o.Clock.Now().UnixMicro(), 36)
	b.world.run = b.world.run[len(b.world.run)-10:]
	before, err := b.payments(ctx)
	if err != nil {
		return Figures{}, err
	}
	fig, err := drive(ctx, b.parts, b.world, b.svc, b.o)
	fig.Name = name
	after, cerr := b.payments(ctx)
	if told {
		b.told += after - before
	}
	if err == nil {
		err = cerr
	}
	return fig, err
}

func (b *hookBench) payments(ctx context.Context) (int64, error) {
	books, err := b.parts.db.CheckBooks(ctx)
	return books.Captured, err
}

// Idle is what payments that nobody listens to cost while there is a webhook of
// something else and a sender that looks for work, over what they cost without:
// medians of pairs that alternate, so that what else the machine does meets both.
type Idle struct {
	PerSec float64 `json:"payments_per_second_ratio"`
	CPU    float64 `json:"cpu_ratio"`
	Pairs  int     `json:"pairs"`
}

// String is one line for people.
func (i Idle) String() string {
	return fmt.Sprintf("%-40s payments/s x %.3f, CPU x %.3f (medians of %d pairs)", "a webhook of something else", i.PerSec, i.CPU, i.Pairs)
}

// idlePairs is how many pairs Idle is measured with.
const idlePairs = 5

func (b *hookBench) idle(ctx context.Context) (Idle, error) {
	if err := b.hook(ctx, b.url, "rules.*"); err != nil {
		return Idle{}, err
	}
	var speed, cpu []float64
	for range idlePairs {
		without, err := b.pay(ctx, "", false)
		if err != nil {
			return Idle{}, err
		}
		s, err := b.start(ctx)
		if err != nil {
			return Idle{}, err
		}
		with, err := b.pay(ctx, "", false)
		s.Stop()
		if err != nil {
			return Idle{}, err
		}
		speed = append(speed, with.PerSec/without.PerSec)
		cpu = append(cpu, (with.ServiceCPU+with.DatabaseCPU)/(without.ServiceCPU+without.DatabaseCPU))
	}
	slices.Sort(speed)
	slices.Sort(cpu)
	return Idle{PerSec: speed[idlePairs/2], CPU: cpu[idlePairs/2], Pairs: idlePairs}, nil
}

// serve answers on a free port of the loopback address.
func serve(ctx context.Context, h http.Handler) (url string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go s.Serve(l) //nolint:errcheck // it ends with Close
	return "http://" + l.Addr().String() + "/", func() { _ = s.Close() }, nil
}

// listen starts a receiver that answers at once.
func (b *hookBench) listen(ctx context.Context) (stop func(), err error) {
	b.guard = notice.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if b.hooks, err = notice.New(notice.Parts{Records: b.parts.db, Keys: b.parts.keys, Clock: b.o.Clock, Random: b.o.Random, Log: b.o.Log, Guard: b.guard}); err != nil {
		return nil, err
	}
	b.url, stop, err = serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		b.took.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	return stop, err
}

func (b *hookBench) hook(ctx context.Context, url, topic string) error {
	_, _, err := b.hooks.Create(ctx, benchOperator, notice.NewWebhook{URL: url, Topics: []string{topic}, Parallel: 64})
	return err
}

var benchOperator = mianmi.Actor{Role: mianmi.RoleOperator, ID: operatorOfBench}

// hang makes webhooks whose receivers never answer. They end with the process.
func (b *hookBench) hang(ctx context.Context) error {
	url, _, err := serve(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	for range hanging {
		if err == nil {
			err = b.hook(ctx, url, "payment.*")
		}
	}
	return err
}

func (b *hookBench) start(ctx context.Context) (*notice.Sender, error) {
	p := notice.NewPoster(b.guard, b.o.Clock, notice.PosterConfig{})
	return notice.StartSender(ctx, notice.SenderParts{Outbox: b.parts.db, Service: b.hooks, Poster: p}, notice.SenderConfig{})
}

// drain starts a sender and waits until the receiver has all that it was to be
// told. The sender is not stopped before the process ends when some hang.
func (b *hookBench) drain(ctx context.Context, name string) (Delivered, error) {
	before := b.took.Load()
	usage, err := b.parts.db.Usage(ctx)
	if err != nil {
		return Delivered{}, err
	}
	own, server := ownCPU(), treeCPU(usage.ServerPID)
	begin := b.o.Clock.Now()
	s, err := b.start(ctx)
	if err != nil {
		return Delivered{}, err
	}
	defer s.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.took.Load() < b.told {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Delivered{}, ctx.Err()
		}
	}
	d := Delivered{Name: name, Messages: b.took.Load() - before, Seconds: b.o.Clock.Now().Sub(begin).Seconds()}
	d.PerSec = float64(d.Messages) / d.Seconds
	d.CPU = float64((ownCPU() - own + treeCPU(usage.ServerPID) - server).Microseconds()) / float64(max(d.Messages, 1))
	return d, nil
}
