package pinfree

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// record is the stored form of a Why: one JSON object with one-letter keys.
// What is zero is left out. The form is in hashed records: never change a key.
type record struct {
	Reason   Reason         `json:"r"`           // number
	Layer    LayerKind      `json:"l,omitempty"` // number
	ID       string         `json:"i,omitempty"` // whose setting
	Version  int64          `json:"v,omitempty"` // of the setting
	Rule     string         `json:"u,omitempty"` // "pack/limit"
	Limit    int64          `json:"m,omitempty"`
	Actual   int64          `json:"a,omitempty"`
	Currency money.Currency `json:"c,omitempty"` // of limit and actual
	At       int64          `json:"t,omitempty"` // instant that it speaks of, Unix seconds
	Decided  int64          `json:"d,omitempty"` // instant of the decision, beside At
}

// EncodeReasons returns reasons as they are stored and hashed: a JSON array,
// binding reason first, without spaces ("[]" for none). Keys: r reason, l layer
// (numbers, see Reason and LayerKind), i id, v version, u rule, m limit, a
// actual, c currency, t instant that the reason speaks of and d that of the
// decision beside it (Unix seconds).
func EncodeReasons(reasons []Why) []byte {
	return AppendReasons(make([]byte, 0, 2+160*len(reasons)), reasons)
}

// AppendReasons is EncodeReasons that appends to dst.
func AppendReasons(dst []byte, reasons []Why) []byte {
	dst = append(dst, '[')
	for i := range reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		w := &reasons[i]
		dst = append(dst, `{"r":`...)
		dst = strconv.AppendUint(dst, uint64(w.Reason), 10)
		dst = appendNumber(dst, `,"l":`, int64(w.Layer))
		dst = appendText(dst, `,"i":`, w.ID)
		dst = appendNumber(dst, `,"v":`, w.Version)
		dst = appendText(dst, `,"u":`, w.Rule)
		dst = appendNumber(dst, `,"m":`, w.Limit)
		dst = appendNumber(dst, `,"a":`, w.Actual)
		dst = appendText(dst, `,"c":`, string(w.Currency))
		dst = appendNumber(dst, `,"t":`, w.At)
		dst = appendNumber(dst, `,"d":`, w.Decided)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendNumber(dst []byte, key string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, key...), n, 10)
}

func appendText(dst []byte, key, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, key...)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string: cannot happen
				panic(err)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// DecodeReasons reads what EncodeReasons wrote. An unknown key is an Invalid
// error; an unknown reason or layer number is kept, for it may be newer than we.
func DecodeReasons(b []byte) ([]Why, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var list []record
	if err := dec.Decode(&list); err != nil {
		return nil, badReasons(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, badReasons(errors.New("something follows the array"))
	}
	out := make([]Why, len(list))
	for i, r := range list {
		out[i] = Why(r)
	}
	return out, nil
}

func badReasons(err error) error {
	return &mianmi.Error{Kind: mianmi.Invalid, Field: "reasons", Msg: "not a list of reasons", Err: err}
}
