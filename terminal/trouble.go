package terminal

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// troubleLife is how long the alarm of a trouble stands after the last one: a
// day, so that whoever comes in the morning sees it.
const troubleLife = 24 * time.Hour

// troubleNote is the body of the fact that somebody at the terminal says that
// something is wrong.
type troubleNote struct {
	ID      string           `json:"id"`
	Kind    string           `json:"kind"`
	OrderNo string           `json:"order_no,omitempty"`
	Payment mianmi.PaymentID `json:"payment,omitempty"`
	At      time.Time        `json:"at"` // by the terminal's clock
}

// troubleID names a trouble by who tells it and its own identifier: it is told
// again until its report was taken.
func troubleID(id mianmi.TerminalID, t protocol.Trouble) string {
	h := sha256.Sum256([]byte("trouble\x00" + string(id) + "\x00" + t.ID))
	return hex.EncodeToString(h[:16])
}

// troubled takes what people at the terminal say is wrong, each once.
func (w *work) troubled(r *protocol.Report) {
	for _, t := range r.Troubles {
		id := troubleID(w.Terminal, t)
		if slices.Contains(w.Checked, id) {
			continue
		}
		w.Checked = append(w.Checked, id)
		kind, order := plain(t.Kind, "other"), plain(t.OrderNo, "")
		w.Left.Checks = append(w.Left.Checks, Checked{ID: id, Terminal: w.Terminal, Version: w.State.Running.Version, Kind: CheckTrouble, Method: kind,
			Payment: t.Payment, Detail: order, At: t.At, Received: w.now, Verdict: CheckClaimed})
		w.record("terminal.trouble.reported", troubleNote{ID: id, Kind: kind, OrderNo: order, Payment: t.Payment, At: t.At})
		w.State.Said.TroubleAt = w.now
		w.alarm(AlarmTrouble, kind)
	}
	if w.now.Sub(w.State.Said.TroubleAt) >= troubleLife {
		w.alarm(AlarmTrouble, "")
	}
}
