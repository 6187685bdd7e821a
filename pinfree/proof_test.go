package pinfree_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/pinfree"
)

// What a terminal has not proved asks for a PIN, with the instant that it is
// about and the rule that it fails; a terminal that the host alone answers for
// passes, and the permission says so.
func TestTerminalsProof(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	twelve := noon.Add(-20 * time.Minute).Unix()
	tests := []struct {
		name  string
		layer pinfree.Layer
		want  pinfree.Outcome
		whys  []pinfree.Why // of the posture layer
	}{
		{"proved", pinfree.Layer{State: pinfree.On, Version: 7, Limits: pinfree.NoLimits()}, pinfree.PinFree, nil},
		{"behind the newest tightening", pinfree.Layer{State: pinfree.Off, Version: 6, Because: pinfree.TerminalBehind, At: twelve}, pinfree.StepUp,
			[]pinfree.Why{{Reason: pinfree.TerminalBehind, Layer: pinfree.LayerPosture, ID: "tm1", Version: 6, At: twelve, Decided: noon.Unix()}}},
		{"unsafe", pinfree.Layer{State: pinfree.Off, Version: 7, Because: pinfree.PostureUnsafe, Rule: "posture/tls"}, pinfree.StepUp,
			[]pinfree.Why{{Reason: pinfree.PostureUnsafe, Layer: pinfree.LayerPosture, ID: "tm1", Version: 7, Rule: "posture/tls"}}},
		{"of which nobody can tell", pinfree.Layer{}, pinfree.StepUp,
			[]pinfree.Why{{Reason: pinfree.LayerUnknown, Layer: pinfree.LayerPosture, ID: "tm1"}}},
		{"by the host's word", pinfree.Layer{State: pinfree.On, Because: pinfree.HostAlone, Limits: pinfree.NoLimits()}, pinfree.PinFree,
			[]pinfree.Why{{Reason: pinfree.HostAlone, Layer: pinfree.LayerPosture, ID: "tm1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := codePayment(rs)
			tt.layer.Kind, tt.layer.ID = pinfree.LayerPosture, "tm1"
			in.Layers = append(in.Layers, tt.layer)
			d := pinfree.Decide(in)
			whys := slices.DeleteFunc(slices.Clone(d.Reasons), func(w pinfree.Why) bool { return w.Layer != pinfree.LayerPosture })
			if len(whys) == 0 {
				whys = nil
			}
			if diff := cmp.Diff(tt.whys, whys); d.Outcome != tt.want || diff != "" {
				t.Errorf("%v, want %v (-want +got):\n%s", d.Outcome, tt.want, diff)
			}
		})
	}
}
