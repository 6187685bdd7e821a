package inbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// types are those of entries that a payer is told of, in order.
var types = func() []string {
	var out []string
	for t := range told {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}()

// ofEntry is the notice of an entry about a payer.
func ofEntry(e *evidence.Entry, name func(mianmi.MerchantID) string) (Notice, error) {
	r, err := payer.ReadRecord(*e)
	if err != nil {
		return Notice{}, err
	}
	w := told[e.Type]
	n := Notice{ID: string(e.ID), Kind: w.kind, Security: w.security, At: e.At, ChangedAt: e.At, Title: w.title}
	with := map[string]mianmi.Text{"{who}": whoOf(e.Actor), "{shop}": unknownShop, "{later}": {}}
	if a := r.Agreement; a != nil {
		n.Agreement, n.Merchant = a.ID, a.Merchant
		if s := name(a.Merchant); s != "" {
			with["{shop}"] = same(s)
		}
	}
	if w.kind == Question && r.Measure != nil {
		n.Question = r.Measure.ID
		paid, _ := r.Detail["payment"].(string)
		n.Payment = mianmi.PaymentID(paid)
		text, _ := r.Detail["until"].(string)
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return Notice{}, fmt.Errorf("entry %s: %w", e.ID, err)
		}
		with["{until}"] = timeText(until)
	}
	if p := r.After.Pending; p != nil {
		with["{later}"] = fill(laterWords, map[string]mianmi.Text{"{time}": timeText(p.At)})
	}
	n.Words = capital(fill(w.words, with))
	if w.security {
		n.Hint = notMine
	}
	return n, nil
}
