package receipt

import (
	"fmt"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/pdf"
)

// attachedName is the file in the page's PDF that is the receipt itself.
const attachedName = "receipt.json"

// Paper draws a receipt as one page, in Chinese and English, with a QR code of
// the address at which it is checked. The receipt itself is attached: paper
// shows what is claimed, the attachment proves it.
func Paper(r *evidence.Receipt, p evidence.Proved, address string) ([]byte, error) {
	text, err := r.Text()
	if err != nil {
		return nil, err
	}
	told := Tell(p)
	for facts := len(told.Facts); ; facts-- {
		d := page(r, p, told, facts, address)
		if d.Pages() > 1 && facts > 0 {
			continue // a page is a page: the rest is in the attachment
		}
		d.Attach(attachedName, text)
		return d.Bytes()
	}
}

func page(r *evidence.Receipt, p evidence.Proved, told Told, facts int, address string) *pdf.Document {
	d := pdf.New(pdf.About{Title: "免密凭证 mianmi receipt " + told.Subject, At: told.At})
	d.QR(address, 40, say("扫码核对本凭证", "Scan to check this receipt"))
	d.Text(20, pdf.Black, "免密凭证")
	d.Text(11, pdf.Grey, "Receipt of the transparency log")
	d.Gap()
	d.Both(12.5, pdf.Green, told.Sentence)
	d.Both(10, pdf.Black, When(told.At))
	d.Line()
	rows := rowsOf(told.Facts[:facts])
	if left := len(told.Facts) - facts; left > 0 {
		rows = append(rows, pdf.Row{Label: say("其余", "More"), Value: say(fmt.Sprintf("还有 %d 项，见附件 %s", left, attachedName), fmt.Sprintf("%d more lines are in the attachment %s", left, attachedName))})
	}
	d.Rows(9, rows...)
	d.Line()
	d.Rows(8.5, rowsOf(Proof(r, p))...)
	d.Line()
	d.Both(8.5, pdf.Black, Proves)
	d.Both(8.5, pdf.Black, ProvesNot)
	d.Both(8.5, pdf.Black, say("核对方法：扫描二维码；或从本 PDF 中取出附件 "+attachedName+"，用 mianmi receipt verify 离线核对，并把签名公钥与公布的公钥比对。纸面文字本身不是证明。",
		"How to check: scan the code; or take the attachment "+attachedName+" out of this PDF and run mianmi receipt verify, offline, and compare the key with the published one. The printed words alone prove nothing."))
	return d
}

func rowsOf(facts []Fact) []pdf.Row {
	var rows []pdf.Row
	for _, f := range facts {
		rows = append(rows, pdf.Row{Label: f.Label, Value: f.Value})
	}
	return rows
}
