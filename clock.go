package mianmi

import (
	"strings"
	"time"
)

// Clock tells the time. Only cmd reads the machine's clock.
type Clock interface{ Now() time.Time }

// ClockFunc lets a function be a Clock.
type ClockFunc func() time.Time

// Now calls f.
func (f ClockFunc) Now() time.Time { return f() }

// Lang is a language that every text exists in.
type Lang uint8

const (
	ZH Lang = iota // 简体中文, the default
	EN
)

// ParseLang reads an Accept-Language header or a plain tag; anything that
// does not ask for English first is Chinese.
func ParseLang(s string) Lang {
	if len(s) >= 2 && strings.EqualFold(s[:2], "en") {
		return EN
	}
	return ZH
}

// Text is one sentence in both languages.
type Text struct {
	ZH string `json:"zh" yaml:"zh"`
	EN string `json:"en" yaml:"en"`
}

// In returns the sentence in the language.
func (t Text) In(l Lang) string {
	if l == EN {
		return t.EN
	}
	return t.ZH
}
