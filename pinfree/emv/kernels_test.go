package emv

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

// TestEncoding proves the text forms byte by byte.
func TestEncoding(t *testing.T) {
	t.Parallel()
	on := UnionPay{QuickPass: true, CDCVM: true, NoPINLimit: 100_000, NoSignatureLimit: 100_000, NoSignature: true}
	const closed = "FF80540010FF80550010FF80560010FF80570010FF8058012000000000000FF8059012000000000000FF805A0010"
	for name, tt := range map[string]struct{ got, want string }{
		"no limits yet":            {tlvOf(EntryPoint{}.Values()), "DF2006000000000000" + "DF2106000000000000" + "DF1906000000000000"},
		"Entry Point":              {tlvOf(EntryPoint{TransactionLimit: AmountMax, CVMLimit: 5001}.Values()), "DF2006999999999999" + "DF2106000000005001" + "DF1906000000000000"},
		"kernel C-2":               {tlvOf(C2{0, 5000, 100_000, 5000}.Values()), "DF812306000000000000" + "DF812406000000005000" + "DF812506000000100000" + "DF812606000000005000"},
		"quick pass":               {on.Field62(), "FF80540011FF80550010FF80560010FF80570011FF8058012000000100000FF8059012000000100000FF805A0011"},
		"quick pass, off":          {UnionPay{}.Field62(), closed},
		"a flag is no data object": {tlvOf(UnionPay{QuickPass: true}.Values()[:1]), ""},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestField62RoundTrip proves that what is written is read again, other tags
// between.
func TestField62RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flag, amount := rapid.Bool(), rapid.Int64Range(0, AmountMax)
		want := UnionPay{flag.Draw(t, "54"), flag.Draw(t, "55"), flag.Draw(t, "56"), flag.Draw(t, "57"),
			amount.Draw(t, "58"), amount.Draw(t, "59"), flag.Draw(t, "5A")}
		got, err := ParseField62("FF803A003010" + want.Field62() + "FF805D0010")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

func TestField62Faults(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"FF8054", "FF8054001", "FF80540012", "FF80540021", "FF8054x011", "FF8054+011", "FF8054000",
		"FF80540011FF80540010", "FF8058003100", "FF8058012-00000000001", "FF80540011F"} {
		if u, err := ParseField62(s); !errors.Is(err, mianmi.Invalid) || u != (UnionPay{}) {
			t.Errorf("%s: %+v, %v", s, u, err)
		}
	}
	if u, err := ParseField62(""); err != nil || u != (UnionPay{}) {
		t.Errorf("nothing: %+v, %v", u, err)
	}
}

func FuzzParseField62(f *testing.F) {
	f.Add("FF80540011FF8058012000000030000")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseField62(s)
		if err != nil {
			return
		}
		if again, err := ParseField62(u.Field62()); err != nil || again != u {
			t.Fatalf("%+v is %+v, %v", u, again, err)
		}
	})
}

// TestKernelOf proves that a scheme that is not known gets the stricter
// comparison.
func TestKernelOf(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]string{"mastercard": "c2", "unionpay": "unionpay", "visa": "entry_point", "": "entry_point", "x": "entry_point"} {
		if got := KernelOf(scheme).String(); got != want {
			t.Errorf("%q: %s", scheme, got)
		}
	}
}
