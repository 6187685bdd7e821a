package pinfree

import (
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// awardWords are the texts of AwardReason, by its number.
//
//	{covered} {loss}     amounts of this claim
//	{case} {year} {paid} cap of one case, cap of the year, paid this year
//	{window} {hours}     hours that the promise reaches back; hours of this claim
//	{span}               the latter in English: 1 hour, 2 hours
var awardWords = [...]mianmi.Text{
	ClaimUnknown:         {ZH: "不赔付：损失金额或本年已赔付金额不明，请补充后重新提交。", EN: "Not covered: the loss, or what was paid this year, is not known. Add it and submit the claim again."},
	AfterReport:          {ZH: "不适用本保障：这笔付款发生在挂失之后，或时间不明；挂失后的付款请直接联系发卡行处理。", EN: "Not covered by this promise: the payment was made after the loss report, or its time is not known. For payments after the report, contact the issuer."},
	AfterWindow:          {ZH: "不赔付：付款发生在挂失前 {hours} 小时，超出 {window} 小时的保障期。", EN: "Not covered: the payment was made {span} before the loss report; the cover reaches back {window} hours."},
	NotConfirmed:         {ZH: "暂不赔付：付款发生在挂失前 {hours} 小时，超出 {window} 小时的保障期；经核实确属盗刷后可以赔付。", EN: "Not covered yet: the payment was made {span} before the loss report, beyond the {window} hours of the cover. It is covered once the fraud has been confirmed."},
	AnnualCapUsed:        {ZH: "不赔付：本年已赔付 {paid}，年度上限 {year} 已用完。", EN: "Not covered: {paid} has been paid this year, and the annual cap of {year} is used up."},
	AnnualCapLeft:        {ZH: "赔付 {covered}（损失 {loss}）：年度上限 {year}，本年已赔付 {paid}。", EN: "{covered} of the loss of {loss} is covered: the annual cap is {year}, and {paid} has been paid this year."},
	CaseCapReached:       {ZH: "赔付 {covered}（损失 {loss}）：已达单次赔付上限 {case}。", EN: "{covered} of the loss of {loss} is covered: one claim is capped at {case}."},
	WithinWindow:         {ZH: "全额赔付 {covered}：付款发生在挂失前 {hours} 小时，在 {window} 小时的保障期内。", EN: "{covered} is covered in full: the payment was made {span} before the loss report, inside the {window} hours of the cover."},
	ConfirmedAfterWindow: {ZH: "全额赔付 {covered}：虽超出 {window} 小时的保障期，但已核实确属盗刷。", EN: "{covered} is covered in full: the payment lies beyond the {window} hours of the cover, but the fraud has been confirmed."},
}

// Words says what is paid, and why, in both languages.
func (a Award) Words() mianmi.Text {
	text := awardWords[ClaimUnknown]
	if int(a.Reason) < len(awardWords) {
		text = awardWords[a.Reason]
	}
	amount := func(n int64) string { return money.Of(n, a.rule.Currency).String() }
	ofCap := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return amount(*n)
	}
	span := strconv.FormatInt(a.claim.HoursBefore, 10) + " hours"
	if a.claim.HoursBefore == 1 {
		span = "1 hour"
	}
	fill := strings.NewReplacer(
		"{covered}", amount(a.Covered), "{loss}", amount(a.claim.Minor), "{paid}", amount(a.claim.PaidThisYear),
		"{case}", ofCap(a.rule.CaseCap), "{year}", ofCap(a.rule.AnnualCap),
		"{window}", strconv.FormatInt(a.rule.WindowHours, 10), "{hours}", strconv.FormatInt(a.claim.HoursBefore, 10), "{span}", span,
	)
	return mianmi.Text{ZH: fill.Replace(text.ZH), EN: fill.Replace(text.EN)}
}
