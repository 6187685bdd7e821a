package payment_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// slowBooks finds among some payments, and takes its time for each that it looks at.
type slowBooks struct {
	payment.Books
	all     []payment.Payment // newest first
	now     time.Time
	each    time.Duration
	longest time.Duration
}

func (b *slowBooks) Now() time.Time { return b.now }

func (b *slowBooks) FindPayments(_ context.Context, f payment.Find) (out []payment.Payment, err error) {
	began := b.now
	for _, p := range b.all {
		at, err := mianmi.IDTime(string(p.ID))
		if err != nil {
			return nil, err
		}
		if at.Before(f.Since.Truncate(time.Millisecond)) || !at.Before(f.Until.Truncate(time.Millisecond)) || f.Before != "" && p.ID >= f.Before || len(out) == f.Limit {
			continue
		}
		if b.now = b.now.Add(b.each); p.Amount.Minor() >= f.Min {
			out = append(out, p)
		}
	}
	b.longest = max(b.longest, b.now.Sub(began))
	return out, nil
}

// However slowly the books are read, who follows Next finds each payment once,
// newest first, and no page takes much longer than the one part that was too long.
func TestFindGoesOn(t *testing.T) {
	t.Parallel()
	newest := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		b := &slowBooks{now: newest, each: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 9 * time.Millisecond, time.Second}).Draw(t, "each")}
		at := newest
		var want []mianmi.PaymentID
		least := rapid.Int64Range(1, 5).Draw(t, "least")
		for _, gap := range rapid.SliceOfN(rapid.Int64Range(0, 1<<30), 0, 60).Draw(t, "gaps") {
			at = at.Add(-time.Duration(gap) * time.Millisecond >> rapid.IntRange(0, 20).Draw(t, "closer"))
			id, err := mianmi.NewBucketID("pm", 7, at, bytes.NewReader([]byte{byte(255 - len(b.all)), 9: 0})) //nolint:gosec // at most 60
			if err != nil {
				t.Fatal(err)
			}
			p := payment.Payment{ID: mianmi.PaymentID(id), Merchant: "mc1", Amount: money.Of(rapid.Int64Range(1, 5).Draw(t, "amount"), "CNY")}
			if b.all = append(b.all, p); p.Amount.Minor() >= least {
				want = append(want, p.ID)
			}
		}
		slices.SortFunc(b.all, func(x, y payment.Payment) int { return -bytes.Compare([]byte(x.ID), []byte(y.ID)) })
		slices.Sort(want)
		slices.Reverse(want)
		s := &payment.Service{Deps: payment.Deps{Books: b, Clock: b}}
		f := payment.Find{Merchant: "mc1", Min: least, Until: newest.Add(time.Second), Limit: rapid.IntRange(1, 9).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "bounded") {
			f.Since = at
		}
		var got []mianmi.PaymentID
		for pages := 0; ; pages++ {
			began := b.now
			page, err := s.Find(t.Context(), mianmi.Actor{Role: mianmi.RoleSupport}, f)
			if err != nil || len(page.Payments) > f.Limit || pages > 5000 {
				t.Fatalf("page %d: %d found, %v", pages, len(page.Payments), err)
			}
			if took := b.now.Sub(began); took > 150*time.Millisecond+b.longest {
				t.Fatalf("a page took %v, its longest part %v", took, b.longest)
			}
			for _, p := range page.Payments {
				got = append(got, p.ID)
			}
			if page.Next == "" {
				break
			}
			f.Before = page.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}
