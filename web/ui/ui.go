// Package ui is what the pages of every surface share: the frame, icons,
// notices, QR codes and the two languages. Whose pages they are, and what
// stands on them, is left to others.
package ui

import (
	"image"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/mianmi/mianmi"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate

// Page is the frame of a page.
type Page struct {
	Lang    mianmi.Lang
	Title   string
	Class   string   // of the body: which surface, which layout
	Styles  []string // URLs
	Scripts []string
	Nonce   string // that scripts have; empty: none
	Live    string // where changes are told; empty: nowhere
	Boot    string // of the program: another one means that it has restarted
	Refresh int    // seconds after which a browser without scripts asks again; 0: never
}

// Tag is the language's tag (BCP 47).
func (p Page) Tag() string {
	if p.Lang == mianmi.EN {
		return "en"
	}
	return "zh-CN"
}

// htmxConfig: nothing of a page is code, errors are drawn as they come, and
// styles are files.
const htmxConfig = `{"includeIndicatorCSS":false,"defaultSwap":"outerHTML","transitions":false}`

// Tone is what a colour means. Green is protected; amber ordered and not yet
// in force; red is harm, and nothing else is red.
type Tone string

// Tones.
const (
	Safe  Tone = "safe"
	Wait  Tone = "wait"
	Plain Tone = "plain"
	Harm  Tone = "harm"
)

// QR is a QR code as an SVG path on a grid of Size modules, with the quiet
// zone of four that the standard wants (ISO/IEC 18004, 5.3.8).
type QR struct {
	Size int
	Path string
}

const quiet = 4

// NewQR encodes a text.
func NewQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, err
	}
	n := code.Bounds().Dx()
	var b strings.Builder
	for y := range n {
		for x := 0; x < n; x++ {
			run := x
			for run < n && dark(code.At(run, y).RGBA()) {
				run++
			}
			if run > x {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h" + strconv.Itoa(run-x) + "v1H" + strconv.Itoa(x+quiet) + "z")
				x = run
			}
		}
	}
	return QR{Size: n + 2*quiet, Path: b.String()}, nil
}

// Bars is a bar code as an SVG path on a grid of width modules, one high, with
// the quiet zone of ten on each side that Code 128 wants (ISO/IEC 15417, 4.3.2).
func Bars(code image.Image) (path string, width int) {
	const quiet = 10
	n := code.Bounds().Dx()
	var b strings.Builder
	for x := 0; x < n; x++ {
		run := x
		for run < n && dark(code.At(run, 0).RGBA()) {
			run++
		}
		if run > x {
			b.WriteString("M" + strconv.Itoa(x+quiet) + " 0H" + strconv.Itoa(run+quiet) + "v1H" + strconv.Itoa(x+quiet) + "z")
			x = run
		}
	}
	return b.String(), n + 2*quiet
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }

// Box is the SVG's viewBox.
func (q QR) Box() string { return "0 0 " + strconv.Itoa(q.Size) + " " + strconv.Itoa(q.Size) }
