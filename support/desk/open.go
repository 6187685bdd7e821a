package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/payer"
)

// NewCase is a case to be opened.
type NewCase struct {
	Kind     Kind
	Category string
	Payer    mianmi.PayerID // empty: not known; of a payer, the own
	Text     string         // in the words of who opens it, 1 to 2,000 characters
	Links    []NewLink
}

// NewLink names something that a case is about.
type NewLink struct {
	Kind LinkKind
	Ref  string
}

// Opened is what opening came to.
type Opened struct {
	Whole
	Known bool // there was one about it already: this is that
}

// Bounds of cases.
const (
	textMax     = 2000 // characters of a note
	notesMax    = 500
	linksMax    = 200
	checksMax   = 50
	categoryMax = 40
	openedMax   = 20 // cases of a payer in a day
)

var errOften = mianmi.Conflicts("too_many_cases", "twenty cases in a day are enough: add a note to one of them")

// Open opens a case. One about the same payment that is open already is what it
// returns, with a note and Known; one that ended lately is reopened.
func (s *Service) Open(ctx context.Context, actor mianmi.Actor, n NewCase) (Opened, error) {
	if actor.Is(mianmi.RolePayer) && n.Payer == "" {
		n.Payer = mianmi.PayerID(actor.ID)
	}
	if err := n.check(); err != nil {
		return Opened{}, err
	}
	if actor.Merchant != "" && n.Payer != "" {
		return Opened{}, mianmi.InvalidField("payer", "a merchant names payments: whose they are is read from them")
	}
	now := s.now()
	c, err := s.draw(ctx, actor, &n, now)
	if err != nil {
		return Opened{}, err
	}
	if err := access.Allow(actor, access.CaseOpen, access.Target{Payer: n.Payer, Merchant: c.Merchant}); err != nil {
		return Opened{}, err
	}
	g := Guard{Payer: c.Payer, Payments: paymentsOf(n.Links), Kind: n.Kind, Since: now.Add(-24 * time.Hour), Ended: now.Add(-ReopenWithin)}
	for range numberTries {
		out, err := s.insert(ctx, actor, c, &n, g)
		var known *mianmi.Error
		if errors.As(err, &known) && known.Code == "exists" { // the number is taken: a chance in a trillion a case
			if c.Number, err = s.number(); err != nil {
				return Opened{}, err
			}
			continue
		}
		return out, err
	}
	return Opened{}, fmt.Errorf("no number for a case in %d tries", numberTries)
}

const numberTries = 5

func (n *NewCase) check() error {
	switch {
	case n.Kind == NoKind || n.Kind > Complaint:
		return mianmi.InvalidField("kind", "want feedback, help, loss, fraud, dispute or complaint")
	case len(n.Category) > categoryMax || strings.Trim(n.Category, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return mianmi.InvalidField("category", "a word of at most 40 of a-z, 0-9 and '_'")
	case len(n.Links) > linksMax:
		return mianmi.InvalidField("links", "at most 200")
	}
	for i, l := range n.Links {
		if err := l.check(fmt.Sprintf("links[%d].", i)); err != nil {
			return err
		}
	}
	return checkText("text", n.Text)
}

func (l NewLink) check(path string) error {
	if l.Kind == NoLink || l.Kind > ToAlarm {
		return mianmi.InvalidField(path+"kind", "want payment, terminal, agreement, complaint, entry, case, refund or alarm")
	}
	prefix := []string{"", "pm", "tm", "ag", "cp", "en", "cs", "rf", "am"}[l.Kind]
	if !strings.HasPrefix(l.Ref, prefix) || len(l.Ref) > 40 || strings.Trim(l.Ref, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return mianmi.InvalidField(path+"ref", "not the identifier of a "+l.Kind.String())
	}
	return nil
}

// checkText refuses what may not be stored of what people write.
func checkText(field, text string) error {
	switch {
	case strings.TrimSpace(text) == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > textMax:
		return mianmi.InvalidField(field, "want 1 to 2000 characters")
	case payer.LooksLikeCard(text):
		return mianmi.InvalidField(field, "holds what looks like a card number, which must never be sent: name its last four digits at most")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return mianmi.InvalidField(field, "holds control characters")
	}
	return nil
}

func paymentsOf(links []NewLink) (out []mianmi.PaymentID) {
	for _, l := range links {
		if l.Kind == ToPayment {
			out = append(out, mianmi.PaymentID(l.Ref))
		}
	}
	return out
}

// draw makes the case, and reads from its payments whose they are, at which
// merchant, and on which rail.
func (s *Service) draw(ctx context.Context, actor mianmi.Actor, n *NewCase, now time.Time) (Case, error) {
	c := Case{Kind: n.Kind, Category: n.Category, State: Open, Queue: SupportDesk, Payer: n.Payer, OpenedBy: actor.String(), OpenedAt: now}
	if n.Kind == Loss || n.Kind == Fraud {
		c.Queue = RiskDesk
	}
	for i, id := range paymentsOf(n.Links) {
		p, err := s.Payments.Payment(ctx, actor, id)
		if errors.Is(err, mianmi.NotFound) || errors.Is(err, mianmi.Invalid) {
			return c, mianmi.InvalidField("links", "there is no payment "+string(id))
		}
		if err != nil {
			return c, err
		}
		if c.Payer == "" {
			c.Payer = p.Payer
		}
		switch {
		case p.Payer != "" && p.Payer != c.Payer:
			return c, mianmi.InvalidField("links", "the payments are of several payers")
		case i == 0:
			c.Merchant, c.Rail = p.Merchant, p.Channel
		case c.Merchant != p.Merchant:
			c.Merchant = "" // of several: none of them sees the case
		}
	}
	c.Shared = c.Merchant != "" && c.Merchant == actor.Merchant
	var err error
	if c.Number, err = s.number(); err != nil {
		return c, err
	}
	id, err := mianmi.NewID("cs", now, s.Random)
	c.ID = mianmi.CaseID(id)
	return c, err
}

// numberDigits leaves out what is misread or misheard: 30 of them, so eight are 39 bits.
const numberDigits = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

const numberLen = 8

// number draws the number of a case.
func (s *Service) number() (string, error) {
	var out []byte
	for len(out) < numberLen {
		var b [16]byte
		if _, err := io.ReadFull(s.Random, b[:]); err != nil {
			return "", fmt.Errorf("read randomness for a case's number: %w", err)
		}
		for _, v := range b {
			if v &= 31; int(v) < len(numberDigits) && len(out) < numberLen {
				out = append(out, numberDigits[v])
			}
		}
	}
	return string(out), nil
}

// insert writes the case, or what opening an old one again comes to.
func (s *Service) insert(ctx context.Context, actor mianmi.Actor, c Case, n *NewCase, g Guard) (Opened, error) {
	ch := &Change{Case: c}
	var same *Case
	err := s.Store.InsertCase(ctx, ch, g, func(b Before) error {
		*ch, same = Change{Case: c}, b.Same
		switch {
		case b.Same != nil && meets(actor, b.Same):
			return errKnown
		case b.Lately >= openedMax && actor.Is(mianmi.RolePayer):
			return errOften
		}
		ch.Case.start(c.OpenedAt, s.Levels.Of(c.Kind, c.Rail))
		for _, l := range n.Links {
			ch.Links = append(ch.Links, Link{Kind: l.Kind, Ref: l.Ref, Actor: actor.String(), At: c.OpenedAt})
		}
		ch.Notes = []Note{{N: 1, Key: openingKey, Audience: openingAudience(actor, &c), Actor: actor.String(), Text: n.Text, At: c.OpenedAt}}
		return s.add(ch, actor, TypeOpened, func(r *Record) { r.Words = s.digest(n.Text) })
	})
	switch {
	case errors.Is(err, errKnown):
		return s.again(ctx, actor, same.ID, n)
	case err != nil:
		return Opened{}, err
	}
	w, err := s.Case(ctx, actor, c.ID)
	return Opened{Whole: w}, err
}

var errKnown = errors.New("desk: there is a case about it")

// meets reports whether who opens a case is led to one that there is. A merchant
// is to one of its own that is open: it does not open a payer's case again, and one
// about several merchants is none of its.
func meets(actor mianmi.Actor, same *Case) bool {
	return actor.Merchant == "" || same.Merchant == actor.Merchant && !same.State.Over()
}

// openingKey is the key of the note that opened a case.
const openingKey = "opening"

// openingAudience is who reads the words that a case is opened with: what mianmi's
// own people write about a payer is theirs.
func openingAudience(a mianmi.Actor, c *Case) Audience {
	switch who := sides(a, c); {
	case who&byPayer != 0:
		return ForPayer
	case who&byShop != 0:
		return ForMerchant
	}
	return Inside
}

// again leads somebody who complains again to the case that there is.
func (s *Service) again(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n *NewCase) (Opened, error) {
	err := s.Store.ChangeCase(ctx, id, func(ch *Change) error {
		c, now := &ch.Case, s.now()
		c.Shared = c.Shared || c.Merchant != "" && c.Merchant == actor.Merchant // who brings itself in sees the own part
		err := ch.note(Note{Key: fmt.Sprintf("again-%d", c.Version+1), Audience: openingAudience(actor, c), Actor: actor.String(), Text: n.Text, At: now})
		if err != nil {
			return err
		}
		for _, l := range n.Links {
			if !slices.ContainsFunc(ch.Was.Links, func(o Link) bool { return o.Kind == l.Kind && o.Ref == l.Ref }) && len(ch.Was.Links)+len(ch.Links) < linksMax {
				ch.Links = append(ch.Links, Link{Kind: l.Kind, Ref: l.Ref, Actor: actor.String(), At: now})
			}
		}
		from := c.State
		c.Repeats++
		switch c.State {
		case Closed:
			c.enter(InProgress, now, s.Levels.Of(c.Kind, c.Rail))
		case WaitingPayer:
			c.enter(InProgress, now, Level{})
		case NoState, Open, InProgress, WaitingMerchant, WaitingBank, Decided:
		}
		return s.add(ch, actor, TypeRepeated, func(r *Record) { r.From, r.Words = from.String(), s.digest(n.Text) })
	})
	if err != nil {
		return Opened{}, err
	}
	w, err := s.Case(ctx, actor, id)
	return Opened{Whole: w, Known: true}, err
}
