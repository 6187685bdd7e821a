package screen

import (
	"strconv"
	"strings"
)

// Small answers that pages ask for while they are drawn.

func (f Frame) barTitle() string {
	if f.Name != "" {
		return f.Name
	}
	return f.Title
}

func otherTag(f Frame) string {
	tag, _ := f.Other()
	return tag
}

func otherName(f Frame) string {
	_, name := f.Other()
	return name
}

func setupBack(p SetupPage) string {
	if p.Change {
		return "/menu"
	}
	return ""
}

func setupAction(p SetupPage) string {
	if p.Change {
		return "/menu/password"
	}
	return "/setup"
}

func restartBack(p RestartPage) string {
	if p.Now {
		return ""
	}
	return "/menu"
}

func readMode(p PayPage) string {
	if p.Order.Method == "payment_code" {
		return "numeric"
	}
	return "none"
}

func readHint(p PayPage) string {
	if p.Order.Method == "payment_code" {
		return p.T("扫码或输入", "Scan or type")
	}
	return p.T("等待读卡…", "Waiting for the card…")
}

func minutes(s int) string {
	rest := strconv.Itoa(s % 60)
	if len(rest) < 2 {
		rest = "0" + rest
	}
	return strconv.Itoa(s/60) + ":" + rest
}

func dots(n int) string { return strings.Repeat("•", n) }

func resultTone(s slipView) string {
	switch {
	case s.Harm:
		return "tone-harm"
	case s.Safe:
		return "tone-safe"
	}
	return "tone-plain"
}

func resultIcon(s slipView) string {
	switch {
	case s.Harm:
		return "warn"
	case s.Safe:
		return "shield"
	case s.Good:
		return "ok"
	}
	return "no"
}

func toneClass(t string) string {
	if t == "" {
		return ""
	}
	return "text-" + t
}

func passTone(ok bool) string {
	if ok {
		return "tone-safe"
	}
	return "tone-harm"
}

func passIcon(ok bool) string {
	if ok {
		return "ok"
	}
	return "warn"
}

func networkIcon(tone string) string {
	switch tone {
	case "safe":
		return "ok"
	case "harm":
		return "warn"
	}
	return "link"
}
