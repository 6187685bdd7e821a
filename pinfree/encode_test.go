package pinfree

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

// TestEncodeReasons fixes the stored form: it is hashed in records.
func TestEncodeReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		reasons []Why
		want    string
	}{
		{"none", nil, `[]`},
		{"a switch", []Why{{Reason: MerchantClosed, Layer: LayerMerchant, ID: "mc1", Version: 7}}, `[{"r":108,"l":8,"i":"mc1","v":7}]`},
		{"a limit and a method", []Why{
			{Reason: RulePerPaymentLimit, Layer: LayerScheme, Rule: "p/l", Limit: 300000, Actual: 310000, Currency: "CNY"},
			{Reason: MethodNeedsPIN},
		}, `[{"r":118,"l":2,"u":"p/l","m":300000,"a":310000,"c":"CNY"},{"r":128}]`},
		{"an instant", []Why{{Reason: TerminalBehind, Layer: LayerPosture, ID: "tm1", Version: 6, At: 1772337871, Decided: 1772338000}},
			`[{"r":129,"l":12,"i":"tm1","v":6,"t":1772337871,"d":1772338000}]`},
		{"what must be escaped", []Why{{Reason: 1, ID: "a\"\\\n店"}}, `[{"r":1,"i":"a\"\\\n店"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := EncodeReasons(tt.reasons)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			back, err := DecodeReasons(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]Why{}, tt.reasons...), back); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeReasonsRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{}", `[{"x":1}]`, `[] []`, `[{"r":70000}]`, `[{"r":"a"}]`, `[`} {
		if w, err := DecodeReasons([]byte(s)); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("%q gives %v, %v", s, w, err)
		}
	}
}

func FuzzDecodeReasons(f *testing.F) {
	f.Add([]byte(`[]`), "", "")
	f.Add([]byte(`[{"r":118,"l":2,"u":"p/l","m":300000,"a":310000,"c":"CNY"}]`), "店", "\xff<\u2028")
	f.Fuzz(func(t *testing.T, b []byte, id, rule string) {
		if !json.Valid(EncodeReasons([]Why{{Reason: 1, ID: id, Rule: rule, Limit: -1}})) {
			t.Fatalf("not JSON: %q %q", id, rule)
		}
		w, err := DecodeReasons(b)
		if err != nil {
			return
		}
		again, err := DecodeReasons(EncodeReasons(w))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
