package mianmi_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
)

// kinds is every kind; a new one must be added here and to each surface.
var kinds = []mianmi.Kind{mianmi.Internal, mianmi.Invalid, mianmi.NotFound, mianmi.Conflict,
	mianmi.Denied, mianmi.Unauthenticated, mianmi.Unavailable}

// An error is of its kind however deep it is wrapped, and of no other; its
// cause stays to be found.
func TestKindIsFoundThroughWraps(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		err := fmt.Errorf("load payer: %w", &mianmi.Error{Kind: kind, Err: fmt.Errorf("read: %w", io.ErrUnexpectedEOF)})
		if got := mianmi.KindOf(err); got != kind {
			t.Errorf("KindOf = %v, want %v", got, kind)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: the cause is lost", kind)
		}
		for _, other := range kinds {
			if errors.Is(err, other) != (other == kind) {
				t.Errorf("errors.Is(%v, %v) = %v", kind, other, other != kind)
			}
		}
	}
}

// The kind of what nobody named is Internal: its text never leaves.
func TestKindOfOthers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want mianmi.Kind
	}{
		"no error of ours":        {io.EOF, mianmi.Internal},
		"the zero error":          {&mianmi.Error{}, mianmi.Internal},
		"a kind alone":            {fmt.Errorf("x: %w", mianmi.Denied), mianmi.Denied},
		"a kind that is unknown":  {mianmi.Kind(99), mianmi.Kind(99)},
		"the outermost of two":    {&mianmi.Error{Kind: mianmi.Unavailable, Err: mianmi.Missing("payer")}, mianmi.Unavailable},
		"the first of two joined": {errors.Join(mianmi.Missing("payer"), mianmi.Forbidden("x", "y")), mianmi.NotFound},
	} {
		if got := mianmi.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if tt.err.Error() == "" {
			t.Errorf("%s has no text", name)
		}
	}
}

// The short forms carry what a surface shows: kind, field, code, message.
func TestConstructors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err   error
		want  mianmi.Error
		words string
	}{
		{mianmi.InvalidField("amount.minor", "must be above zero"), mianmi.Error{Kind: mianmi.Invalid, Field: "amount.minor", Msg: "must be above zero"}, "amount.minor: must be above zero"},
		{mianmi.Missing("terminal"), mianmi.Error{Kind: mianmi.NotFound, Msg: "no such terminal"}, "no such terminal"},
		{mianmi.Conflicts("order_conflict", "used"), mianmi.Error{Kind: mianmi.Conflict, Code: "order_conflict", Msg: "used"}, "used"},
		{mianmi.Forbidden("scope", "no"), mianmi.Error{Kind: mianmi.Denied, Code: "scope", Msg: "no"}, "no"},
	} {
		var e *mianmi.Error
		if !errors.As(tt.err, &e) || *e != tt.want {
			t.Errorf("got %+v, want %+v", e, tt.want)
		}
		if !strings.Contains(tt.err.Error(), tt.words) {
			t.Errorf("says %q, want %q", tt.err, tt.words)
		}
	}
}
