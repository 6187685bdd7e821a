package terminal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// A version is given while its rollout runs and reaches the machine, and when it
// is finished; in doubt it is not.
func TestProgramGives(t *testing.T) {
	t.Parallel()
	good := terminal.ProgramRollout{ID: "ro1", Kind: rollout.Program, Family: "linux_countertop", Version: "1.4.0",
		Progress: rollout.Begin(rollout.UsualProgram(rollout.Stage{Permille: rollout.All}), "", time.Time{})}
	at := terminal.Device{Terminal: "tm1", Store: "st1", Model: "md1", Family: "linux_countertop"}
	for name, tt := range map[string]struct {
		change func(*terminal.ProgramRollout, *terminal.Device)
		gives  bool
	}{
		"running": {func(*terminal.ProgramRollout, *terminal.Device) {}, true},
		"paused":  {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.State = rollout.Paused }, false},
		"stopped": {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.State = rollout.Stopped }, false},
		"finished": {func(r *terminal.ProgramRollout, d *terminal.Device) {
			r.State, *d = rollout.Finished, terminal.Device{}
		}, true},
		"a state of a later one":    {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.State = 9 }, false},
		"the zero rollout":          {func(r *terminal.ProgramRollout, _ *terminal.Device) { *r = terminal.ProgramRollout{} }, false},
		"a kind of a later one":     {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.Kind = "firmware" }, false},
		"a setting's":               {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.Kind = rollout.Setting }, false},
		"a stage that is not there": {func(r *terminal.ProgramRollout, _ *terminal.Device) { r.Stage = 1 }, false},
		"another family":            {func(_ *terminal.ProgramRollout, d *terminal.Device) { d.Family = "qr_box" }, false},
		"a machine without a word":  {func(_ *terminal.ProgramRollout, d *terminal.Device) { d.Family = "" }, false},
		"no family on either side":  {func(r *terminal.ProgramRollout, d *terminal.Device) { r.Family, d.Family = "", "" }, false},
	} {
		r, d := good, at
		if tt.change(&r, &d); r.Gives(&d) != tt.gives {
			t.Errorf("%s: gives %v", name, !tt.gives)
		}
	}
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	read, err := terminal.ReadProgramRollout(text)
	if diff := cmp.Diff(&good, read); err != nil || diff != "" {
		t.Errorf("read back: %v %s", err, diff)
	}
	for name, text := range map[string]string{"a field of a later plan": strings.Replace(string(text), `"plan":{`, `"plan":{"weekdays":[1],`, 1), "damage": string(text[:40]), "nothing": ""} {
		if r, err := terminal.ReadProgramRollout([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

// How a terminal stands with a version follows from its own word alone, however
// it spells the version.
func TestProgramDoing(t *testing.T) {
	t.Parallel()
	said := func(state, version, reason string) *protocol.Update {
		return &protocol.Update{State: state, Version: version, Reason: reason}
	}
	for name, tt := range map[string]struct {
		d    terminal.Device
		want terminal.Doing
	}{
		"nothing":                       {terminal.Device{App: "1.3.9"}, terminal.DoingNothing},
		"no version":                    {terminal.Device{App: "unreleased"}, terminal.DoingNothing},
		"it":                            {terminal.Device{App: "v1.4"}, terminal.DoingRuns},
		"a newer one":                   {terminal.Device{App: "1.10.0"}, terminal.DoingRuns},
		"waiting":                       {terminal.Device{App: "1.3.0", Update: said("waiting", "1.4.0", "")}, terminal.DoingWaits},
		"trial":                         {terminal.Device{App: "1.4.0", Update: said("trial", "1.4.0", "")}, terminal.DoingTrial},
		"went back":                     {terminal.Device{App: "1.3.0", Update: said("refused", "1.4", "not_attested")}, terminal.DoingRefused},
		"another was refused":           {terminal.Device{App: "1.4.0", Update: said("refused", "1.5.0", "wrong_hash")}, terminal.DoingRuns},
		"all is refused":                {terminal.Device{App: "1.3.0", Update: said("refused", "", "frozen")}, terminal.DoingNothing},
		"an older one has to come":      {terminal.Device{App: "1.2.0", Update: said("refused", "1.4.0", "unmet")}, terminal.DoingNothing},
		"a word of a later program":     {terminal.Device{App: "1.3.0", Update: said("resting", "1.4.0", "")}, terminal.DoingNothing},
		"it failed, and runs after all": {terminal.Device{App: "1.4.0", Update: said("refused", "1.4.0", "wrong_hash")}, terminal.DoingRuns},
	} {
		if got := tt.d.Doing("1.4.0"); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if d := (&terminal.Device{Proof: terminal.ByHost, App: "1.4.0"}).Doing("1.4.0"); d == terminal.DoingRuns || d.String() != "" {
		t.Errorf("a model that proves nothing: %s", d)
	}
}
