package terminal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/posture"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// take brings the terminal's state up to a report that is its newest word.
func (w *work) take(r *protocol.Report, signed []byte) {
	st := &w.State
	booted := r.Boot.Count > st.Boot
	before := st.Attested
	st.BootID, st.Boot, st.Number = r.Boot.ID, r.Boot.Count, r.Number
	st.ReportedAt, st.SeenAt = w.now, w.now
	st.PinFree = r.PinFree
	st.Running = protocol.Setting{}
	if r.Running != nil {
		st.Running = *r.Running
	}
	st.Said = Said{Facts: posture.Facts{Device: r.Device, Network: r.Network, ClockOff: r.At.Sub(w.now)}, At: r.At, Decided: r.Decided,
		Tightening: r.Tightening, Local: r.Local, Pending: r.Pending, TroubleAt: st.Said.TroubleAt}
	w.saved(r)
	w.refused(r)
	if booted {
		w.rebooted(r)
	}
	running := w.running(r)
	w.drift(r, running)
	w.attest(r, running, signed)
	if before > 0 && st.Attested == 0 && st.Drift == "" {
		w.record("terminal.setting.lost", settingNote{Before: before, Boot: st.Boot})
	}
	w.judge()
	w.alarm(AlarmReport, "")
	w.checked(r)
	w.troubled(r)
	w.program(r.Update)
}

// program notes what the terminal says of a program; one that it does not take,
// or has gone back from, is an alarm.
func (w *work) program(u *protocol.Update) {
	detail := ""
	if u != nil {
		u = &protocol.Update{State: plain(u.State, ""), Version: plain(u.Version, ""), Reason: plain(u.Reason, "")}
		if u.State == "refused" {
			detail = strings.TrimSpace(u.Version + " " + cmp.Or(u.Reason, "refused"))
		}
	}
	w.State.Said.Update = u
	w.alarm(AlarmUpdate, detail)
}

// saved notes what lies on the terminal's disk and runs after the next boot.
func (w *work) saved(r *protocol.Report) {
	w.State.Saved = 0
	if r.Saved == nil {
		return
	}
	s := w.setting(r.Saved.Version)
	if s == nil || s.Hash != r.Saved.Hash {
		return
	}
	w.State.Saved = s.Version
	waits := r.Running == nil || *r.Running != *r.Saved
	switch {
	case s.Saved.IsZero():
		s.Saved, s.SavedBoot = w.now, r.Boot.Count
	case s.SavedBoot == 0 && waits: // a machine of before had saved it first
		s.SavedBoot = r.Boot.Count
	default:
		return
	}
	w.put(s)
}

// refused notes that the terminal does not run a config that it has.
func (w *work) refused(r *protocol.Report) {
	w.State.Refused = 0
	if r.Refused == nil {
		w.alarm(AlarmRefused, "")
		return
	}
	s := w.setting(r.Refused.Version)
	if s == nil || s.Hash != r.Refused.Hash {
		return
	}
	w.State.Refused = s.Version
	w.alarm(AlarmRefused, plain(r.Refused.Reason, "no_reason"))
	if !s.Refused.IsZero() {
		return
	}
	s.Refused, s.RefusedReason = w.now, plain(r.Refused.Reason, "")
	w.put(s)
	w.record("terminal.setting.refused", settingNote{Version: s.Version, Hash: s.Hash.String(), Boot: r.Boot.Count, Reason: s.RefusedReason})
}

// rebooted notes the boot for the settings that waited for one.
func (w *work) rebooted(r *protocol.Report) {
	for i := range w.Settings {
		s := &w.Settings[i]
		waited := max(s.SavedBoot, s.DeliveredBoot)
		if s.Rebooted.IsZero() && s.Superseded.IsZero() && r.Boot.Count > waited {
			s.Rebooted = w.now
			w.put(s)
		}
	}
}

// running is the setting that the terminal runs, when it was delivered to it.
func (w *work) running(r *protocol.Report) *Setting {
	if r.Running == nil {
		return nil
	}
	s := w.setting(r.Running.Version)
	if s == nil || s.Hash != r.Running.Hash {
		return nil
	}
	return s
}

// drift says whether the terminal runs what nobody asked for.
func (w *work) drift(r *protocol.Report, s *Setting) {
	kind := ""
	switch {
	case r.Running != nil && s == nil:
		kind = DriftUnknown
	case s != nil && r.PinFree && !s.allows(w.now), r.PinFree && r.Local != nil && !r.Local.PinFree:
		kind = DriftLooser
	case s != nil && w.Model.Reboot && r.Boot.Count <= max(s.SavedBoot, s.DeliveredBoot):
		kind = DriftNoReboot
	}
	st := &w.State
	if kind == st.Drift {
		return
	}
	was := st.Drift
	st.Drift, st.DriftSince = kind, w.now
	w.alarm(AlarmDrift, "")
	if kind == "" {
		st.DriftSince = time.Time{}
		w.record("terminal.drift.ended", driftNote{Kind: was, Version: st.Running.Version, Hash: st.Running.Hash.String()})
		return
	}
	w.alarm(AlarmDrift, kind)
	w.record("terminal.drift.began", driftNote{Kind: kind, Version: st.Running.Version, Hash: st.Running.Hash.String(), PinFree: r.PinFree})
}

// clockSlack is how far a terminal's clock may be from the host's when it ends
// a stop by itself.
const clockSlack = 5 * time.Minute

// allows reports whether a terminal that runs the setting may take PIN-free
// payments at now.
func (s *Setting) allows(now time.Time) bool {
	return s.PinFree && !now.Before(s.StopsUntil.Add(-clockSlack))
}

// attest counts the report as a proof of what it says that it runs, unless it
// drifts. An older setting than was proved before takes "in force" away.
func (w *work) attest(r *protocol.Report, s *Setting, signed []byte) {
	st := &w.State
	lease := w.Policy.Terms.Lease()
	gap := !w.now.Before(st.LeaseUntil)
	if s == nil || st.Drift != "" {
		w.endRun(w.now)
		st.Attested = 0
		return
	}
	changed := s.Version != st.Attested
	if changed || gap {
		w.endRun(w.now)
	}
	st.Attested = s.Version
	if changed {
		w.proved(s, r, signed)
	}
	if st.Attested > st.Floor {
		st.Floor = st.Attested
	}
	// A report that was kept back for longer than a lease says nothing of now.
	if r.At.Add(lease).After(w.now) {
		st.LeaseUntil = w.now.Add(lease)
	}
	if st.RunFrom.IsZero() && w.now.Before(st.LeaseUntil) {
		w.beginRun(s, w.now)
	}
}

// proved records that the terminal runs another setting than before.
func (w *work) proved(s *Setting, r *protocol.Report, signed []byte) {
	st := &w.State
	st.AttestedAt = w.now
	note := settingNote{Version: s.Version, Hash: s.Hash.String(), PinFree: s.PinFree, Tightened: s.Tightened, Boot: r.Boot.Count, Signed: signed}
	if s.Version < st.Floor {
		note.Before = st.Floor
		w.alarm(AlarmFellBack, "version_below_proved")
		w.record("terminal.setting.fell_back", note)
		return
	}
	w.alarm(AlarmFellBack, "")
	if s.Version >= w.Need.Tightened {
		w.alarm(AlarmOverdue, "")
	}
	for _, t := range []*time.Time{&s.Saved, &s.Attested} {
		if t.IsZero() {
			*t = w.now
		}
	}
	w.put(s)
	for i := range w.Settings {
		if o := &w.Settings[i]; o.Version < s.Version && o.Superseded.IsZero() {
			o.Superseded = w.now
			w.put(o)
		}
	}
	w.record("terminal.setting.attested", note)
}

// judge asks the policy on terminals what it makes of device and network.
func (w *work) judge() {
	st := &w.State
	failed := w.Policy.Judge(st.Said.Facts)
	st.PostureEpoch = w.Policy.Epoch
	if slices.Equal(failed, st.Posture) {
		return
	}
	st.Posture = failed
	w.alarm(AlarmPosture, "")
	w.alarm(AlarmPosture, strings.Join(failed, ","))
	w.record("terminal.posture.changed", postureNote{Unsafe: failed, Policy: w.Policy.Version})
}

// receipt is the host's answer, without what became of the menu's changes.
func (w *work) receipt() protocol.Receipt {
	st := &w.State
	out := protocol.Receipt{Version: w.Version, InForce: st.InForce(w.Need, w.now), LeaseUntil: st.LeaseUntil, At: w.now}
	config := w.Config(w.now)
	doubts := st.AppendDoubts(nil, w.Need, w.now)
	out.PinFree = config.Allows(w.now) && len(doubts) == 0
	for _, d := range doubts {
		out.Because = append(out.Because, d.words(w.Policy, st, w.now))
	}
	return out
}

// plain bounds a text that a terminal sent, for records.
func plain(s, empty string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if s = strings.TrimSpace(s); s == "" {
		return empty
	}
	return s
}

// words puts a doubt in words for whoever stands at the terminal.
func (d Doubt) words(policy *posture.Set, st *State, now time.Time) mianmi.Text {
	w := d.why(&st.Proven)
	w.Decided = now.Unix()
	fault := mianmi.Text{}
	if d.Rule != "" {
		fault = policy.Says(d.Rule)
	}
	return wordsFor(w, fault)
}
