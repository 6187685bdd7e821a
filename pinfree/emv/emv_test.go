package emv

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// TestCTQ proves what a card's qualifiers mean: verification on the device
// counts unless the card asks for online PIN all the same.
func TestCTQ(t *testing.T) {
	t.Parallel()
	type meaning struct {
		PIN, Signature, CDCVM bool
		CVM                   pinfree.CVM
		Asks                  pinfree.Flag
	}
	for s, want := range map[string]meaning{
		"0000": {Asks: pinfree.No},
		"0080": {CDCVM: true, CVM: pinfree.CDCVM, Asks: pinfree.No},
		"8080": {PIN: true, CDCVM: true, Asks: pinfree.Yes},
		"8000": {PIN: true, Asks: pinfree.Yes},
		"4000": {Signature: true, Asks: pinfree.No},
		"3F7F": {Asks: pinfree.No},
	} {
		q, err := ParseCTQ(s)
		if err != nil || q.String() != s {
			t.Fatalf("%s: %v, %v", s, q, err)
		}
		if diff := cmp.Diff(want, meaning{q.OnlinePIN(), q.Signature(), q.CDCVM(), q.CVM(), q.AsksPIN()}); diff != "" {
			t.Errorf("%s: %s", s, diff)
		}
	}
}

// TestCVMResults proves what counts as verified: nothing that failed or is not
// known, no signature, and 01 on the device in kernel C-2 alone.
func TestCVMResults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, results string
		kernel        Kernel
		want          pinfree.CVM
		toHost        bool
	}{
		{"none performed", "3F0002", KernelC2, pinfree.NoCVM, false},
		{"none required", "1F0002", KernelEntryPoint, pinfree.NoCVM, false},
		{"on the device, in C-2", "010002", KernelC2, pinfree.CDCVM, false},
		{"the same at a chip", "010002", KernelEntryPoint, pinfree.OfflinePIN, false},
		{"enciphered PIN", "440302", KernelEntryPoint, pinfree.OfflinePIN, false},
		{"offline PIN that was wrong", "410301", KernelEntryPoint, pinfree.NoCVM, false},
		{"offline PIN, result not known", "010000", KernelC2, pinfree.NoCVM, false},
		{"online PIN", "020300", KernelEntryPoint, pinfree.NoCVM, true},
		{"online PIN, go on if it fails", "420300", KernelEntryPoint, pinfree.NoCVM, true},
		{"online PIN that was not entered", "020301", KernelEntryPoint, pinfree.NoCVM, false},
		{"signature", "1E0302", KernelEntryPoint, pinfree.NoCVM, false},
		{"fail", "000002", KernelEntryPoint, pinfree.NoCVM, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseCVMResults(tt.results)
			if err != nil || r.String() != tt.results {
				t.Fatalf("%v, %v", r, err)
			}
			if r.CVM(tt.kernel) != tt.want || r.OnlinePINEntered() != tt.toHost {
				t.Errorf("CVM %v, online PIN %v", r.CVM(tt.kernel), r.OnlinePINEntered())
			}
		})
	}
}

// TestTTQ proves each bit, and that Entry Point sets its two bits by its limits.
func TestTTQ(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][5]bool{ // online PIN, offline only, CVM required, online required, CDCVM
		"00000000": {},
		"04000000": {0: true},
		"08000000": {1: true},
		"00400000": {2: true},
		"00800000": {3: true},
		"00004000": {4: true},
		"36C04000": {0: true, 2: true, 3: true, 4: true},
	} {
		q, err := ParseTTQ(s)
		if err != nil || q.String() != s {
			t.Fatalf("%s: %v, %v", s, q, err)
		}
		if got := [5]bool{q.OnlinePIN(), q.OfflineOnly(), q.CVMRequired(), q.OnlineRequired(), q.CDCVM()}; got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	reader := EntryPoint{TransactionLimit: 100_000, CVMLimit: 5001, FloorLimit: 2000}
	for minor, want := range map[int64]string{2000: "36004000", 2001: "36804000", 5000: "36804000", 5001: "36C04000"} {
		before, _ := ParseTTQ("36C04000")
		if got := before.For(minor, reader).String(); got != want {
			t.Errorf("%d: %s, want %s", minor, got, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][3]bool{ // online PIN, signature, offline PIN
		"E00000": {}, "E040C8": {true}, "E020C8": {1: true}, "E010C8": {2: true}, "E0F8C8": {true, true, true},
	} {
		c, err := ParseCapabilities(s)
		if got := [3]bool{c.OnlinePIN(), c.Signature(), c.OfflinePIN()}; err != nil || got != want || c.String() != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
}

// TestEntryMode proves each digit of field 22 that the rules speak of.
func TestEntryMode(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct {
		Method pinfree.Method
		PIN    pinfree.Flag
	}{
		"000": {}, "010": {}, "011": {pinfree.MethodUnknown, pinfree.Yes},
		"021": {pinfree.CardSwipe, pinfree.Yes}, "902": {pinfree.CardSwipe, pinfree.No}, "801": {pinfree.CardSwipe, pinfree.Yes},
		"032": {pinfree.PaymentCode, pinfree.No},
		"051": {pinfree.CardInsert, pinfree.Yes}, "959": {pinfree.CardInsert, pinfree.Yes},
		"071": {pinfree.CardTap, pinfree.Yes}, "072": {pinfree.CardTap, pinfree.No}, "078": {pinfree.CardTap, pinfree.No},
		"910": {pinfree.CardTap, pinfree.NotKnown}, "075": {pinfree.CardTap, pinfree.NotKnown}, "812": {pinfree.Remote, pinfree.No},
	} {
		m, err := ParseEntryMode(s)
		if err != nil || m.String() != s || m.Method() != want.Method || m.PIN.Possible() != want.PIN {
			t.Errorf("%s: %+v %v %v %v", s, m, m.Method(), m.PIN.Possible(), err)
		}
	}
}

// TestParseFaults proves that what is too long, too short or no number is
// refused, with the field named.
func TestParseFaults(t *testing.T) {
	t.Parallel()
	parsers := map[string]func(string) error{
		"9F6C":   func(s string) error { _, err := ParseCTQ(s); return err },
		"9F34":   func(s string) error { _, err := ParseCVMResults(s); return err },
		"9F66":   func(s string) error { _, err := ParseTTQ(s); return err },
		"9F33":   func(s string) error { _, err := ParseCapabilities(s); return err },
		"22":     func(s string) error { _, err := ParseEntryMode(s); return err },
		"amount": func(s string) error { _, err := ParseN12(s); return err },
	}
	for field, parse := range parsers {
		for _, s := range []string{"", "0", "00000", "0000000000", "xx", "zzzz", "xxxxxx", "xxxxxxxx", "+71", "-71", "7 1", "+00000000001", "0000000000001", "00000000000x"} {
			var e *mianmi.Error
			if err := parse(s); !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
				t.Errorf("%s takes %q: %v", field, s, err)
			}
		}
	}
	for _, n := range []int64{-1, AmountMax + 1} {
		if s, err := N12(n); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("%d is %s", n, s)
		}
	}
	for n, s := range map[int64]string{0: "000000000000", 30_000: "000000030000", AmountMax: "999999999999"} {
		got, err := N12(n)
		back, err2 := ParseN12(s)
		if got != s || back != n || err != nil || err2 != nil {
			t.Errorf("%d: %s and back %d", n, got, back)
		}
	}
}
