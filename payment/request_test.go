package payment

import (
	"errors"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// A card number in the place of a token is called by its name. A token of ours
// is taken, although its random part may read like one.
func TestTokenThatReadsLikeACardNumber(t *testing.T) {
	t.Parallel()
	for token, good := range map[mianmi.InstrumentID]bool{
		"4111111111111111":               false,
		"4111 1111 1111 1111":            false,
		"ci4111111111111111":             false,
		"ci01kb4111111111111111zzzzzz0f": true,
	} {
		r := Request{Terminal: "tm01", OrderNo: "1", Amount: money.Of(100, "CNY"), Method: pinfree.CardTap, Instrument: token}
		err := r.validateCard()
		if good != (err == nil) {
			t.Errorf("%s: %v", token, err)
		}
		var e *mianmi.Error
		if !good && (!errors.As(err, &e) || e.Field != "instrument") {
			t.Errorf("%s: %v does not name the field", token, err)
		}
	}
}
