// Package pack makes the proof pack of a case: one ZIP with a summary, the facts,
// and a receipt of every entry of the log that they rest on; and verifies one
// without a server (docs/adr/0026).
//
// It decides nothing and finds out nothing: desk, liability, asof and evidence do.
package pack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/terminal"
)

// Cases is what this package asks of desk.Service.
type Cases interface {
	Case(ctx context.Context, a mianmi.Actor, id mianmi.CaseID) (desk.Whole, error)
	File(ctx context.Context, a mianmi.Actor, id mianmi.CaseID, file string) (desk.File, []byte, error)
	Packed(ctx context.Context, a mianmi.Actor, id mianmi.CaseID, n desk.NewPack) (mianmi.EntryID, error)
}

// Liability is what this package asks of liability.Service.
type Liability interface {
	Of(ctx context.Context, a mianmi.Actor, id mianmi.CaseID, confirmed bool) (liability.Timeline, error)
}

// AsOf is what this package asks of asof.Service.
type AsOf interface {
	OfPayment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*asof.Answer, error)
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Entries(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error)
	Refunds(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) ([]payment.Refund, error)
}

// Terminals is what this package asks of terminal.Service.
type Terminals interface {
	InForceAt(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID, at time.Time) (terminal.AsOf, error)
	Status(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID) (terminal.Status, error)
	Checks(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID, limit int) ([]terminal.Checked, error)
}

// Records reads entries of the log by what they are about.
type Records interface {
	EntriesOf(ctx context.Context, q asof.Query) ([]evidence.Leaf, error)
	Leaf(ctx context.Context, id mianmi.EntryID) (evidence.Leaf, error)
}

// Log makes receipts.
type Log interface {
	StampFor(ctx context.Context, ids []mianmi.EntryID) (evidence.Stamp, error)
	Under(s evidence.Stamp) evidence.Under
}

// Service makes proof packs. All parts are required.
type Service struct {
	Cases     Cases
	Liability Liability
	AsOf      AsOf
	Payments  Payments
	Terminals Terminals
	Records   Records
	Log       Log
}

// Pack is a proof pack.
type Pack struct {
	Name   string         // of the file, as it should be saved
	Digest string         // SHA-256 of Zip, in hexadecimal
	Entry  mianmi.EntryID // that records the handing out
	Zip    []byte
}

// Make makes the proof pack of a case, for those who work on cases, and records
// that it was handed out. confirmed says that the fraud has been confirmed. The same
// case gives the same bytes. evidence.ErrNotYet says to ask again in a second.
func (s *Service) Make(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, confirmed bool) (Pack, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Pack{}, err
	}
	for tries := 0; ; tries++ {
		p, err := s.make(ctx, actor, id, confirmed)
		if !errors.Is(err, desk.ErrOtherPack) || tries == 2 {
			return p, err
		}
	}
}

func (s *Service) make(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, confirmed bool) (Pack, error) {
	w, err := s.Cases.Case(ctx, actor, id)
	if err != nil {
		return Pack{}, err
	}
	g := gathering{Service: s, actor: actor, whole: &w}
	if err := g.all(ctx, confirmed); err != nil {
		return Pack{}, err
	}
	content := g.content()
	var stamp evidence.Stamp
	if same := w.Packed(content); same != nil {
		stamp = same.Stamp
	} else if stamp, err = s.Log.StampFor(ctx, g.entries()); err != nil {
		return Pack{}, err
	}
	out := Pack{Name: "mianmi-" + w.Number + ".zip"}
	if out.Zip, err = g.zip(ctx, stamp); err != nil {
		return Pack{}, err
	}
	sum := sha256.Sum256(out.Zip)
	out.Digest = hex.EncodeToString(sum[:])
	out.Entry, err = s.Cases.Packed(ctx, actor, id, desk.NewPack{Content: content, Digest: out.Digest, Size: int64(len(out.Zip)), Stamp: stamp})
	return out, err
}

// content is a digest of all that the pack tells, its receipts left aside.
func (g *gathering) content() string {
	h := sha256.New()
	fmt.Fprintf(h, "mianmi_pack %d\n", manifestVersion) //nolint:errcheck // a hash takes all
	for _, f := range g.files {
		fmt.Fprintf(h, "%s %x\n", f.name, sha256.Sum256(f.content)) //nolint:errcheck // a hash takes all
	}
	for _, p := range g.proofs {
		fmt.Fprintf(h, "%s\n", p.name) //nolint:errcheck // a hash takes all
	}
	return hex.EncodeToString(h.Sum(nil))
}

// entries are those that receipts are made of.
func (g *gathering) entries() []mianmi.EntryID {
	var out []mianmi.EntryID
	for _, p := range g.proofs {
		if !slices.Contains(out, p.entry) {
			out = append(out, p.entry)
		}
	}
	return out
}
