package emv

import "github.com/mianmi/mianmi"

// Value is one parameter as it is put into a terminal.
type Value struct {
	Tag   string
	Title mianmi.Text
	Value string // twelve digits of minor units, or "0" and "1" for a flag
	// Amount is the value in minor units; nil for a flag.
	Amount *int64
}

func amountValue(tag string, title mianmi.Text, minor int64) Value {
	return Value{Tag: tag, Title: title, Value: n12(minor), Amount: &minor}
}

func flagValue(tag string, title mianmi.Text, on bool) Value {
	v := Value{Tag: tag, Title: title, Value: "0"}
	if on {
		v.Value = "1"
	}
	return v
}

// tlvOf writes amounts as EMV data objects, tag, length and value in hexadecimal.
// Flags have no such form and are left out.
func tlvOf(list []Value) string {
	var out string
	for _, v := range list {
		if v.Amount != nil {
			out += tlv(v.Tag, v.Value)
		}
	}
	return out
}

var (
	titleTransaction         = mianmi.Text{ZH: "非接触交易限额", EN: "Contactless transaction limit"}
	titleTransactionNoDevice = mianmi.Text{ZH: "非接触交易限额（未经设备验证）", EN: "Contactless transaction limit, no on-device CVM"}
	titleTransactionDevice   = mianmi.Text{ZH: "非接触交易限额（经设备验证）", EN: "Contactless transaction limit, on-device CVM"}
	titleCVM                 = mianmi.Text{ZH: "CVM 限额", EN: "CVM required limit"}
	titleFloor               = mianmi.Text{ZH: "非接触脱机限额", EN: "Contactless floor limit"}
	titleQuickPass           = mianmi.Text{ZH: "非接快速业务", EN: "Quick pass service"}
	titleListA               = mianmi.Text{ZH: "BIN 表 A（试点）", EN: "Number list A (pilot)"}
	titleListB               = mianmi.Text{ZH: "BIN 表 B（境内借记卡）", EN: "Number list B (domestic debit)"}
	titleCDCVM               = mianmi.Text{ZH: "采信持卡人设备验证", EN: "Verification on the device is honoured"}
	titleNoPIN               = mianmi.Text{ZH: "免密限额", EN: "No-PIN limit"}
	titleNoSignatureLimit    = mianmi.Text{ZH: "免签限额", EN: "No-signature limit"}
	titleNoSignature         = mianmi.Text{ZH: "免签", EN: "No signature"}
)
