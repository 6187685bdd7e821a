package terminal

import (
	"encoding/json"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// The bodies of facts about what terminals run. They hold what the terminal
// itself says where the fact is its word.
type (
	settingNote struct {
		Version   int64  `json:"version,omitempty"`
		Hash      string `json:"hash,omitempty"`
		Before    int64  `json:"before,omitempty"` // version that ran, or was proved, before
		PinFree   bool   `json:"pin_free,omitempty"`
		Tightened int64  `json:"tightened,omitempty"` // newest tightening that the setting holds
		Boot      int64  `json:"boot"`
		Reason    string `json:"reason,omitempty"`
		// Signed is the report as it came: with the key's entry it proves the fact
		// to anybody.
		Signed json.RawMessage `json:"signed,omitempty"`
	}
	driftNote struct {
		Kind    string `json:"kind"`
		Version int64  `json:"version,omitempty"`
		Hash    string `json:"hash,omitempty"`
		PinFree bool   `json:"pin_free,omitempty"`
	}
	postureNote struct {
		Unsafe []string `json:"unsafe"` // rules that it fails; none: it is safe
		Policy int64    `json:"policy"` // version that judged
	}
	refusedNote struct {
		Reason string `json:"reason"`
		Key    string `json:"key,omitempty"`
		Boot   int64  `json:"boot,omitempty"`
		Number int64  `json:"number,omitempty"`
		Digest string `json:"digest"` // SHA-256 of what came
	}
	menuNote struct {
		ID      string    `json:"id"`
		Version int64     `json:"version"`
		PinFree bool      `json:"pin_free"`
		Author  string    `json:"author"`
		BasedOn int64     `json:"based_on"`
		At      time.Time `json:"at"` // by the terminal's clock
	}
	checkNote struct {
		ID      string           `json:"id"`
		Version int64            `json:"version"`
		Kind    string           `json:"kind"`
		Method  string           `json:"method,omitempty"`
		Payment mianmi.PaymentID `json:"payment,omitempty"`
		Claimed bool             `json:"claimed"`
		Verdict string           `json:"verdict"`
		Detail  string           `json:"detail,omitempty"`
	}
	keyNote struct {
		Key      string     `json:"key,omitempty"`
		Public   []byte     `json:"public,omitempty"` // SubjectPublicKeyInfo
		Serial   string     `json:"serial,omitempty"`
		NotAfter *time.Time `json:"not_after,omitempty"`
		Renewal  bool       `json:"renewal,omitempty"`
	}
)

// why is the doubt as a reason of a decision.
func (d Doubt) why(p *Proven) pinfree.Why {
	w := pinfree.Why{Reason: d.Reason, Layer: pinfree.LayerPosture}
	if p != nil {
		w.ID, w.Version = string(p.Terminal), p.Attested
	}
	if d.Rule != "" {
		w.Rule = PostureRule(d.Rule)
	}
	if !d.At.IsZero() {
		w.At = d.At.Unix()
	}
	return w
}

// postureRules leads the name of a rule of the policy on terminals in reasons.
const postureRules = "posture/"

// PostureRule is the name in reasons of a rule of the policy on terminals.
func PostureRule(rule string) string { return postureRules + rule }

// wordsFor is a reason as whoever stands at the terminal reads it.
func wordsFor(w pinfree.Why, fault mianmi.Text) mianmi.Text {
	return mianmi.Text{ZH: w.WordsIn(mianmi.ZH, pinfree.ForCashier, fault.ZH), EN: w.WordsIn(mianmi.EN, pinfree.ForCashier, fault.EN)}
}
