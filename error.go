package mianmi

import (
	"errors"
	"time"
)

// Kind says what sort of failure an error is, so that every surface can
// answer it the same way. The list is closed; the zero Kind is Internal.
// A Kind is itself an error: errors.Is(err, mianmi.NotFound).
type Kind uint8

const (
	Internal        Kind = iota // a fault of ours; its text never leaves
	Invalid                     // the input is wrong; Field names where
	NotFound                    // there is no such thing
	Conflict                    // the state, or an earlier request, forbids it
	Denied                      // the caller is known and may not
	Unauthenticated             // the caller is not known, or gave a wrong secret
	Unavailable                 // not now: overload, a deadline, the database away; try again
)

var kindTexts = [...]string{"internal error", "invalid", "not found", "conflict", "denied", "unauthenticated", "unavailable"}

// Error returns the kind's name.
func (k Kind) Error() string {
	if int(k) < len(kindTexts) {
		return kindTexts[k]
	}
	return kindTexts[Internal]
}

// Error is a failure with a kind. Msg may be shown to the caller; Err is for
// the log and never leaves. No secret, PIN or card number goes into either.
type Error struct {
	Kind  Kind
	Field string // the input at fault, in dotted form ("amount.minor"); may be empty
	Msg   string // may be shown
	Code  string // a stable short name for callers that branch ("order_conflict"); may be empty
	Err   error  // for the log

	RetryAfter time.Duration // with Unavailable or a lock: when it makes sense to try again
}

// Error joins field, message and cause for a log.
func (e *Error) Error() string {
	s := e.Msg
	if s == "" {
		s = e.Kind.Error()
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Errorf-like constructors for the common kinds. Msg is shown to callers.

// InvalidField is an Invalid error that names the field at fault.
func InvalidField(field, msg string) error { return &Error{Kind: Invalid, Field: field, Msg: msg} }

// Missing is a NotFound error for a thing by name ("payment", "terminal").
func Missing(what string) error { return &Error{Kind: NotFound, Msg: "no such " + what} }

// Conflicts is a Conflict error with a stable code.
func Conflicts(code, msg string) error { return &Error{Kind: Conflict, Code: code, Msg: msg} }

// Forbidden is a Denied error with a stable code.
func Forbidden(code, msg string) error { return &Error{Kind: Denied, Code: code, Msg: msg} }

// KindOf returns the kind of err: the outermost Error's, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}
