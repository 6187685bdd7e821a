// Package pdf makes pages of Chinese and English text with QR codes: receipts,
// summaries of cases. The same content gives the same bytes, on any machine.
//
// What stands on a page is left to its caller.
package pdf

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/boombuler/barcode/qr"

	"github.com/mianmi/mianmi"
)

//go:embed font/NotoSansSC-Regular.ttf
var regular []byte

const family = "noto"

// Sizes in millimetres of A4, and of type in points.
const (
	pageWidth = 210.0
	margin    = 18.0
	inner     = pageWidth - 2*margin
	labelWide = 52.0
	gap       = 3.0
	ptToMM    = 25.4 / 72
)

// Document is a document in the making. Errors are kept until Bytes.
type Document struct {
	f     *fpdf.Fpdf
	right float64 // width that a QR code takes from the lines beside it
	until float64 // down to here
}

// About is what a document says of itself.
type About struct {
	Title string
	At    time.Time // of its content: the clock plays no part
}

// Row is a label and what it is of.
type Row struct {
	Label, Value mianmi.Text
}

// New begins a document with an empty page.
func New(a About) *Document {
	f := fpdf.New("P", "mm", "A4", "")
	f.SetCatalogSort(true)
	f.SetCreationDate(a.At.UTC())
	f.SetModificationDate(a.At.UTC())
	f.SetProducer("mianmi", true)
	f.SetTitle(a.Title, true)
	f.SetLang("zh-CN")
	f.SetMargins(margin, margin, margin)
	f.SetAutoPageBreak(true, margin)
	f.AddUTF8FontFromBytes(family, "", bytes.Clone(regular)) // the library writes into it
	f.AddPage()
	return &Document{f: f}
}

// Ink is the colour of text.
type Ink uint8

// The inks: of text, of what stands back, of headings and of warnings.
const (
	Black Ink = iota
	Grey
	Green
	Red
)

var inks = [...][3]int{Black: {24, 24, 27}, Grey: {95, 99, 104}, Green: {7, 120, 60}, Red: {176, 22, 22}}

func (d *Document) style(size float64, ink Ink) {
	d.f.SetFont(family, "", size)
	c := inks[min(int(ink), len(inks)-1)]
	d.f.SetTextColor(c[0], c[1], c[2])
}

// width is that of a line which begins here.
func (d *Document) width() float64 {
	if d.f.GetY() < d.until {
		return inner - d.right
	}
	return inner
}

// Text writes a paragraph of one language.
func (d *Document) Text(size float64, ink Ink, text string) {
	d.style(size, ink)
	d.lines(d.width(), size*ptToMM*1.5, text)
}

// lines writes a text from here down: the library's own breaking loses a Chinese
// character at each break.
func (d *Document) lines(width, high float64, text string) {
	room := width - 2*d.f.GetCellMargin()
	for _, line := range wrap(text, room, d.f.GetStringWidth) {
		d.f.CellFormat(width, high, line, "", 2, "L", false, 0, "")
	}
	l, _, _, _ := d.f.GetMargins()
	d.f.SetX(l)
}

// Both writes a paragraph in Chinese, and in English below it.
func (d *Document) Both(size float64, ink Ink, t mianmi.Text) {
	d.Text(size, ink, t.ZH)
	d.Text(size*0.86, Grey, t.EN)
	d.Gap()
}

// Gap leaves a little room.
func (d *Document) Gap() { d.f.Ln(gap) }

// Line draws a thin line across the page.
func (d *Document) Line() {
	d.f.SetDrawColor(210, 212, 216)
	y := max(d.f.GetY(), d.until)
	d.f.Line(margin, y, pageWidth-margin, y)
	d.f.SetY(y)
	d.Gap()
}

// Rows writes lines of labels and values, in both languages where they differ.
func (d *Document) Rows(size float64, rows ...Row) {
	high := size * ptToMM * 1.45
	for _, r := range rows {
		d.style(size, Grey)
		top, page := d.f.GetY(), d.f.PageNo()
		d.lines(labelWide-gap, high, joined(r.Label))
		left := d.f.GetY()
		if d.f.PageNo() == page {
			d.f.SetXY(margin+labelWide, top)
		} else { // the label began a page
			d.f.SetXY(margin+labelWide, margin)
			page = d.f.PageNo()
		}
		d.style(size, Black)
		w := d.width() - labelWide
		d.f.SetLeftMargin(margin + labelWide)
		d.lines(w, high, r.Value.ZH)
		if r.Value.EN != r.Value.ZH {
			d.style(size, Grey)
			d.lines(w, high, r.Value.EN)
		}
		d.f.SetLeftMargin(margin)
		y := d.f.GetY()
		if d.f.PageNo() == page {
			y = max(y, left)
		}
		d.f.SetXY(margin, y+0.8)
	}
}

func joined(t mianmi.Text) string {
	if t.ZH == t.EN {
		return t.ZH
	}
	return t.ZH + " " + t.EN
}

// QR draws a code of the text at the right edge, as wide as millimetres says,
// with a caption below it; what is written next stands to its left. Error
// correction M is what paper needs.
func (d *Document) QR(text string, millimetres float64, caption mianmi.Text) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		d.f.SetError(fmt.Errorf("make a QR code: %w", err))
		return
	}
	x0, y0, n := pageWidth-margin-millimetres, d.f.GetY(), code.Bounds().Dx()
	module := millimetres / float64(n)
	d.f.SetFillColor(0, 0, 0)
	for y := range n {
		for x := 0; x < n; {
			run := 0
			for x+run < n {
				if r, _, _, _ := code.At(x+run, y).RGBA(); r != 0 {
					break
				}
				run++
			}
			if run > 0 { // one piece: neighbours drawn alone show hairlines
				d.f.Rect(x0+float64(x)*module, y0+float64(y)*module, float64(run)*module, module+0.02, "F")
			}
			x += max(run, 1)
		}
	}
	d.f.SetXY(x0, y0+millimetres+1)
	d.style(8, Grey)
	d.f.MultiCell(millimetres, 3.6, caption.ZH+"\n"+caption.EN, "", "C", false)
	d.right, d.until = millimetres+2*gap, d.f.GetY()+gap
	d.f.SetXY(margin, y0)
}

// Attach puts a file into the document, where readers show it beside the pages.
func (d *Document) Attach(name string, content []byte) {
	d.f.SetAttachments([]fpdf.Attachment{{Content: content, Filename: name}})
}

// Pages is how many there are.
func (d *Document) Pages() int { return d.f.PageCount() }

// Bytes ends the document.
func (d *Document) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if err := d.f.Output(&b); err != nil {
		return nil, errors.Join(errors.New("make a PDF"), err)
	}
	return b.Bytes(), nil
}
