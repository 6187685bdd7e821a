package notice

import (
	"encoding/json"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/settings"
)

// route says who is told of each fact.
func route(facts []Fact, snap *settings.Snapshot) [][]settings.Listener {
	out := make([][]settings.Listener, len(facts))
	for i := range facts {
		f := &facts[i]
		if f.Topic == Test {
			continue // those are numbered for one webhook, and never lie here
		}
		out[i] = snap.Listeners(owner(f, snap), uint8(f.Topic))
	}
	return out
}

// owner is the merchant whose fact it is; empty: it is no merchant's.
func owner(f *Fact, snap *settings.Snapshot) mianmi.MerchantID {
	if topics[f.Topic].platform || len(f.Entry) == 0 {
		return f.Merchant
	}
	e, err := evidence.Decode(f.Entry)
	if err != nil {
		return "" // mianmi's own people are told, and see that it cannot be read
	}
	if strings.HasPrefix(e.Type, "contract.") {
		r, err := contract.ReadRecord(e)
		if err != nil {
			return ""
		}
		return r.Merchant
	}
	if strings.HasPrefix(e.Type, "alarm.") {
		r, err := risk.ReadRecord(e)
		if err != nil {
			return ""
		}
		return r.Merchant
	}
	var body struct {
		Scope     string `json:"scope"`
		Agreement struct {
			Merchant mianmi.MerchantID `json:"merchant"`
		} `json:"agreement"`
	}
	if json.Unmarshal(e.Body, &body) != nil {
		return ""
	}
	if strings.HasPrefix(e.Type, "payer.") {
		return body.Agreement.Merchant
	}
	scope, err := merchant.ParseScope(body.Scope)
	if err != nil {
		return ""
	}
	return snap.Owner(scope)
}
