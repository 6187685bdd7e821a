package pack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/liability"
)

// gathering is a pack in the making.
type gathering struct {
	*Service
	actor  mianmi.Actor
	whole  *desk.Whole
	line   liability.Timeline
	events []Event
	paid   []PaymentFacts
	about  CaseFacts
	files  []file  // in the order in which they were made
	proofs []proof // receipts that go with them
}

type file struct {
	name    string
	content []byte
}

// proof is a receipt that is to be made: of an entry, or of a payment's decision in
// a batch.
type proof struct {
	name    string
	entry   mianmi.EntryID
	payment mianmi.PaymentID // empty: the entry itself
}

// entriesMax bounds the entries of one case or payment that a pack tells of.
const entriesMax = 1000

func (g *gathering) all(ctx context.Context, confirmed bool) (err error) {
	if g.line, err = g.Liability.Of(ctx, g.actor, g.whole.ID, confirmed); err != nil {
		return err
	}
	for i := range g.line.Facts.Payments {
		if err := g.payment(ctx, &g.line.Facts.Payments[i]); err != nil {
			return err
		}
	}
	if err := g.timeline(ctx); err != nil {
		return err
	}
	g.about = caseFacts(g.whole)
	if err := g.attachments(ctx); err != nil {
		return err
	}
	g.messages()
	for _, p := range g.paid {
		if err := g.json("payments/"+p.ID+".json", p); err != nil {
			return err
		}
	}
	if err := g.json("case.json", g.about); err != nil {
		return err
	}
	if err := g.json("timeline.json", g.events); err != nil {
		return err
	}
	g.add("README.txt", []byte(readme))
	page, err := g.summary()
	if err != nil {
		return err
	}
	g.add("summary.pdf", page)
	return nil
}

func (g *gathering) add(name string, content []byte) { g.files = append(g.files, file{name, content}) }

func (g *gathering) json(name string, v any) error {
	text, err := encode(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	g.add(name, text)
	return nil
}

// prove asks for the receipt of an entry, and returns its name.
func (g *gathering) prove(id mianmi.EntryID, of mianmi.PaymentID) string {
	if id == "" {
		return ""
	}
	p := proof{name: "receipts/" + cmp.Or(string(of), string(id)) + ".json", entry: id, payment: of}
	if !slices.Contains(g.proofs, p) {
		g.proofs = append(g.proofs, p)
	}
	return p.name
}

func (g *gathering) payment(ctx context.Context, x *liability.Fact) error {
	p := &x.Payment
	out := paymentFacts(p)
	where, err := g.Payments.Entries(ctx, g.actor, p.ID)
	if err != nil {
		return err
	}
	out.Receipt = g.prove(where.Decided, p.ID)
	for _, id := range where.Later[:min(len(where.Later), entriesMax)] {
		leaf, err := g.Records.Leaf(ctx, id)
		if err != nil {
			return err
		}
		if err := g.told(leaf); err != nil {
			return err
		}
	}
	refunds, err := g.Payments.Refunds(ctx, g.actor, p.ID)
	if err != nil {
		return err
	}
	for _, r := range refunds {
		out.Refunds = append(out.Refunds, RefundFact{string(r.ID), r.At.UTC(), Amount{r.Amount.Minor(), string(r.Amount.Currency())}, r.State.String()})
	}
	then, err := g.AsOf.OfPayment(ctx, g.actor, p.ID)
	if err != nil {
		return err
	}
	for i := range then.Rows {
		l := layerFact(&then.Rows[i])
		l.Receipt = g.prove(then.Rows[i].Source.Entry, "")
		out.InForce = append(out.InForce, l)
	}
	if then.Again != nil {
		out.Again = then.Again.Verdict.String()
	}
	if p.Terminal != "" {
		run, err := g.Terminals.InForceAt(ctx, g.actor, p.Terminal, p.CreatedAt)
		if err != nil {
			return err
		}
		tests, err := g.Terminals.Checks(ctx, g.actor, p.Terminal, 200)
		if err != nil {
			return err
		}
		now, err := g.Terminals.Status(ctx, g.actor, p.Terminal)
		if err != nil {
			return err
		}
		out.AtTerminal = terminalFact(&run, now.Model.Proof, tests)
	}
	for i := range g.line.Findings {
		if f := &g.line.Findings[i]; f.Payment == p.ID {
			for j := range f.Shares {
				s := shareFact(&f.Shares[j])
				if off := f.Shares[j].Off; off != nil {
					s.Receipt = g.prove(off.Entry, "")
				}
				out.Shares = append(out.Shares, s)
			}
		}
	}
	g.paid = append(g.paid, out)
	return nil
}

// told puts an entry of the log on the timeline.
func (g *gathering) told(leaf evidence.Leaf) error {
	e, err := evidence.Decode(leaf.Bytes)
	if err != nil {
		return fmt.Errorf("entry %s: %w", leaf.ID, err)
	}
	out := eventOf(e)
	out.Receipt = g.prove(e.ID, "")
	g.events = append(g.events, out)
	return nil
}

// eventOf is what an entry tells.
func eventOf(e evidence.Entry) Event {
	words, _ := receipt.Sentence(e.Type, e.Subject, mianmi.RecordedRole(e.Actor))
	out := Event{At: e.At.UTC(), Type: e.Type, Ref: string(e.ID), Words: both(words)}
	if strings.HasPrefix(e.Type, "case.") {
		if r, err := desk.ReadRecord(e); err == nil {
			out.Case, out.Verdict, out.Act = r.State, r.Verdict, r.Act
		}
	}
	if strings.HasPrefix(e.Type, "payer.") {
		if r, err := payer.ReadRecord(e); err == nil {
			out.Switch = &Switch{PinFree: r.After.Settings.PinFree}
			if f := r.After.FrozenAt; f != nil {
				out.Switch.FrozenAt = at(*f)
			}
			if h := r.After.Hold; h != nil {
				out.Switch.HoldUntil = at(h.Until)
			}
			if p := r.After.Pending; p != nil {
				out.Switch.PendingAt = at(p.At)
			}
		}
	}
	return out
}

// timeline is what happened, oldest first: the steps of the case, the payer's
// changes, the payments, and what terminals proved.
func (g *gathering) timeline(ctx context.Context) error {
	for _, e := range g.line.Events {
		switch {
		case strings.HasPrefix(e.Ref, "en"):
			leaf, err := g.Records.Leaf(ctx, mianmi.EntryID(e.Ref))
			if err != nil {
				return err
			}
			if err := g.told(leaf); err != nil {
				return err
			}
		case e.What == "payment":
			g.events = append(g.events, Event{At: e.At.UTC(), Type: e.What, Ref: e.Ref, Words: both(paymentWords), Receipt: "receipts/" + e.Ref + ".json"})
		case e.What == "terminal_proved":
			g.events = append(g.events, Event{At: e.At.UTC(), Type: e.What, Ref: e.Ref, Words: both(provedWords)})
		}
	}
	steps, err := g.Records.EntriesOf(ctx, asof.Query{Subject: string(g.whole.ID), Upto: 1<<62 - 1, Limit: entriesMax})
	if err != nil {
		return err
	}
	for _, leaf := range steps {
		e, err := evidence.Decode(leaf.Bytes)
		if err != nil {
			return fmt.Errorf("entry %s: %w", leaf.ID, err)
		}
		if e.Type == desk.TypePacked {
			continue // the pack before this one is no fact of the case
		}
		if err := g.told(leaf); err != nil {
			return err
		}
	}
	slices.SortStableFunc(g.events, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Ref, b.Ref)) })
	g.events = slices.CompactFunc(g.events, func(a, b Event) bool { return a.Ref == b.Ref && a.Type == b.Type && a.At.Equal(b.At) })
	return nil
}

// attachments takes along what was attached for payer and merchant.
func (g *gathering) attachments(ctx context.Context) error {
	for i, f := range g.whole.Files {
		if f.Audience == desk.Inside || f.Audience == desk.NoAudience {
			continue
		}
		_, content, err := g.Cases.File(ctx, g.actor, g.whole.ID, f.ID)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("attachments/%02d%s", i+1, f.Type.Ending()[0]) // its own name stands in case.json: a stranger chose it
		g.about.Files = append(g.about.Files, FileFact{File: name, Name: f.Name, Type: string(f.Type), At: f.At.UTC(), By: mianmi.RecordedRole(f.Actor)})
		g.add(name, content)
	}
	return nil
}

// messages are what was written to and by payer and merchant, word for word.
func (g *gathering) messages() {
	var b strings.Builder
	for _, n := range g.whole.Notes {
		if n.Audience != desk.ForPayer && n.Audience != desk.ForMerchant {
			continue
		}
		who := receipt.Actor(mianmi.RecordedRole(n.Actor))
		fmt.Fprintf(&b, "— %s · %s %s · [%s %s]\n%s\n\n", n.At.UTC().Format("2006-01-02 15:04:05 UTC"), who.ZH, who.EN, n.Audience.Words().ZH, n.Audience.Words().EN, n.Text)
	}
	if b.Len() > 0 {
		g.add("messages.txt", []byte(b.String()))
	}
}
