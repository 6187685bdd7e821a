package mianmi_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

var times = rapid.Map(rapid.Int64Range(0, 1<<48-1), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })

var chances = rapid.SliceOfN(rapid.Byte(), 10, 10)

// Identifiers sort by the time that they were made at, whatever the chance.
func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		make := func(label string) (time.Time, string) {
			at := times.Draw(t, "time "+label)
			id, err := mianmi.NewID("py", at, bytes.NewReader(chances.Draw(t, "chance "+label)))
			if err != nil {
				t.Fatal(err)
			}
			return at, id
		}
		at1, id1 := make("1")
		at2, id2 := make("2")
		if at1.Before(at2) && id1 >= id2 {
			t.Fatalf("%s of %v sorts after %s of %v", id1, at1, id2, at2)
		}
	})
}

// What time an identifier was made at is read from it, to the millisecond.
func TestIDTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := times.Draw(t, "time")
		id, err := mianmi.NewBucketID("pm", 7, at, bytes.NewReader(chances.Draw(t, "chance")))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := mianmi.IDTime(id); err != nil || !got.Equal(at) {
			t.Fatalf("%s of %v was made at %v, %v", id, at, got, err)
		}
	})
	for _, bad := range []string{"", "pm", "pm01ilou0000", "pm0123456"} {
		if at, err := mianmi.IDTime(bad); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%q was made at %v, %v", bad, at, err)
		}
	}
}

// Different chance at the same time gives different identifiers of one form:
// prefix and 26 characters that are not misread.
func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := times.Draw(t, "time")
		a, b := chances.Draw(t, "a"), chances.Draw(t, "b")
		id1, err1 := mianmi.NewID("tm", at, bytes.NewReader(a))
		id2, err2 := mianmi.NewID("tm", at, bytes.NewReader(b))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if (id1 == id2) != bytes.Equal(a, b) {
			t.Fatalf("%s and %s of %x and %x", id1, id2, a, b)
		}
		if len(id1) != 28 || !strings.HasPrefix(id1, "tm") || strings.ContainsAny(id1[2:], "ilouILOU") {
			t.Fatalf("%q has not the form of an identifier", id1)
		}
	})
}

// A payment's identifier carries the bucket that it was made for.
func TestBucketIsCarried(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := mianmi.Bucket(rapid.Byte().Draw(t, "bucket"))
		at, chance := times.Draw(t, "time"), chances.Draw(t, "chance")
		for prefix, bucket := range map[string]func(string) (mianmi.Bucket, error){
			"pm": func(s string) (mianmi.Bucket, error) { return mianmi.PaymentID(s).Bucket() },
			"rf": func(s string) (mianmi.Bucket, error) { return mianmi.RefundID(s).Bucket() },
			"ag": func(s string) (mianmi.Bucket, error) { return mianmi.AgreementID(s).Bucket() },
			"ci": func(s string) (mianmi.Bucket, error) { return mianmi.InstrumentID(s).Bucket() },
		} {
			id, err := mianmi.NewBucketID(prefix, want, at, bytes.NewReader(chance))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := bucket(id); err != nil || got != want {
				t.Fatalf("%s carries %d, %v; want %d", id, got, err, want)
			}
			if _, err := bucket("xx" + id[2:]); !errors.Is(err, mianmi.Invalid) {
				t.Fatalf("%s of another kind is taken: %v", id, err)
			}
		}
	})
}

// Too little randomness is an error, never a short or guessable identifier.
func TestNoIDWithoutChance(t *testing.T) {
	t.Parallel()
	for n := range 10 {
		id, err := mianmi.NewID("py", time.UnixMilli(1), bytes.NewReader(make([]byte, n)))
		if id != "" || !(errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
			t.Errorf("%d bytes of randomness: %q, %v", n, id, err)
		}
	}
}

// The bucket of a payer is in stored keys: these never change.
func TestBucketsAreFixed(t *testing.T) {
	t.Parallel()
	for id, want := range map[mianmi.PayerID]mianmi.Bucket{
		"": 197, "py00000000000000000000000000": 184, "pyabc": 176,
	} {
		if got := id.Bucket(); got != want {
			t.Errorf("bucket of %q = %d, want %d for ever", id, got, want)
		}
	}
}

// Payers spread evenly: of 256,000 in 256 buckets none has half or twice its
// share. (A fair hash keeps within 1000 ± 5·√1000 = 842 to 1158.)
func TestBucketsSpread(t *testing.T) {
	t.Parallel()
	var counts [mianmi.Buckets]int
	chance := make([]byte, 10)
	for i := range 256_000 {
		chance[7], chance[8], chance[9] = byte(i>>16), byte(i>>8), byte(i)
		id, err := mianmi.NewID("py", time.UnixMilli(1_770_000_000_000+int64(i/100)), bytes.NewReader(chance))
		if err != nil {
			t.Fatal(err)
		}
		counts[mianmi.PayerID(id).Bucket()]++
	}
	for b, n := range counts {
		if n < 842 || n > 1158 {
			t.Errorf("bucket %d has %d payers, want about 1000", b, n)
		}
	}
}

// No text from outside makes a bucket unless it has the form of an identifier.
func FuzzBucket(f *testing.F) {
	for _, s := range []string{"", "pm", "pm00", "pmff0123456789abcdefghjkmnpq", "pmzz0123456789abcdefghjkmnpqrs", "pmff0123456789abcdefghjkmnpqrs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := mianmi.PaymentID(s).Bucket()
		if err != nil && !errors.Is(err, mianmi.Invalid) {
			t.Fatalf("%q: %v, want Invalid", s, err)
		}
		if err == nil && (len(s) != 30 || !strings.HasPrefix(s, "pm")) {
			t.Fatalf("%q is taken for a payment", s)
		}
	})
}

// The range of a millisecond holds all identifiers of its instants and none of
// the next.
func TestIDRange(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1772337871123).Add(456 * time.Microsecond)
	from, to := mianmi.IDRange("en", at)
	for _, c := range []struct {
		name string
		at   time.Time
		fill byte
		want bool
	}{
		{"the least of the millisecond", at.Truncate(time.Millisecond), 0, true},
		{"the greatest of the millisecond", at.Truncate(time.Millisecond).Add(999 * time.Microsecond), 0xff, true},
		{"the greatest before", at.Add(-time.Millisecond), 0xff, false},
		{"the least after", at.Add(time.Millisecond), 0, false},
	} {
		id, err := mianmi.NewID("en", c.at, bytes.NewReader(bytes.Repeat([]byte{c.fill}, 10)))
		if err != nil {
			t.Fatal(err)
		}
		if got := from <= id && id < to; got != c.want {
			t.Errorf("%s: %s in [%s, %s): %v", c.name, id, from, to, got)
		}
	}
}
