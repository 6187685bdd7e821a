package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/rollout"
)

// A rollout that is missing, damaged, another policy's or of a later version has
// come to nobody: the former terms hold, and PIN-free is off where those cannot
// be read either.
func TestUnreadableRolloutReachesNobody(t *testing.T) {
	t.Parallel()
	limit := money.Of(100, "CNY")
	scope := merchant.OfMerchant("mc1")
	good := merchant.Rollout{ID: "ro1", Kind: rollout.Setting, Scope: scope, Version: 5,
		Former:   merchant.Former{Terms: merchant.Terms{PinFree: true, PerPayment: &limit}, Version: 4},
		Progress: rollout.Progress{State: rollout.Running, Plan: rollout.Usual(rollout.Stage{Permille: rollout.All})}}
	body := func(change func(*merchant.Rollout)) string {
		r := good
		change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	plain := body(func(*merchant.Rollout) {})
	at := rollout.Place{Terminal: "tm1", Store: "st1", Model: "md1"}
	for name, tt := range map[string]struct {
		body    string
		reached bool
		version int64 // of the former policy; 5 with PIN-free off: nothing is known of it
	}{
		"as it was written":        {plain, true, 4},
		"a row that is missing":    {"", false, 5},
		"damage":                   {plain[:len(plain)/2], false, 5},
		"another rollout's":        {body(func(r *merchant.Rollout) { r.ID = "ro2" }), false, 4},
		"another version's":        {body(func(r *merchant.Rollout) { r.Version = 6 }), false, 4},
		"another scope's":          {body(func(r *merchant.Rollout) { r.Scope = merchant.Everything() }), false, 4},
		"one that is over":         {body(func(r *merchant.Rollout) { r.State = rollout.Stopped }), false, 4},
		"another kind":             {body(func(r *merchant.Rollout) { r.Kind = "program" }), false, 4},
		"a stage that is not":      {body(func(r *merchant.Rollout) { r.Stage = 7 }), false, 4},
		"a field of a later plan":  {strings.Replace(plain, `"plan":{`, `"plan":{"weekdays":[1],`, 1), false, 4},
		"a field of later terms":   {strings.Replace(plain, `"former":{`, `"former":{"hours":[1],`, 1), false, 5},
		"terms that are no object": {strings.Replace(plain, `"former":{`, `"former":7,"was":{`, 1), false, 5},
	} {
		p := merchant.Policy{Scope: scope, Terms: merchant.Terms{PinFree: true}, Version: 5}
		p.Rollout = readRollout(&p, "ro1", tt.body)
		holds := p.For(at)
		if reached := holds == &p; reached != tt.reached {
			t.Errorf("%s: reached %v", name, reached)
		}
		former := p.Rollout.Former
		if former.Version != tt.version || former.Terms.PinFree != (tt.version == 4) {
			t.Errorf("%s: the former policy is %+v", name, former)
		}
		if p.Rollout.ID != "ro1" {
			t.Errorf("%s: it is called %s", name, p.Rollout.ID)
		}
	}
}
