package api

import (
	"net/http"

	"github.com/mianmi/mianmi"
)

// titles of problems by code. A code without one has that of its status.
var problemTitles = map[string]mianmi.Text{
	// The transport.
	"body_missing":           {ZH: "请求没有内容", EN: "The request has no body"},
	"malformed_json":         {ZH: "请求不是正确的 JSON", EN: "The request is not well-formed JSON"},
	"invalid":                {ZH: "请求中有一项不正确", EN: "Something in the request is not right"},
	"body_too_large":         {ZH: "请求过大", EN: "The request is too large"},
	"body_timeout":           {ZH: "请求没有完整到达", EN: "The request did not arrive whole"},
	"content_type":           {ZH: "请用 JSON 格式发送请求", EN: "The request must be sent as JSON"},
	"not_acceptable":         {ZH: "只提供 JSON 格式的回答", EN: "Answers are given as JSON only"},
	"method_not_allowed":     {ZH: "这个地址不支持这种请求方法", EN: "This address does not take this method"},
	"too_many_requests":      {ZH: "尝试过于频繁，请稍后再试", EN: "Too many tries; wait a little"},
	"in_progress":            {ZH: "同一请求正在处理，请稍后再问", EN: "The same request is still in progress"},
	"idempotency_key_reused": {ZH: "这个幂等键已用于另一个请求", EN: "This idempotency key was used with another request"},

	// Kinds.
	"internal":        {ZH: "系统出错，请联系客服并提供请求编号", EN: "Something went wrong on our side; tell support the request id"},
	"not_found":       {ZH: "没有找到", EN: "There is no such thing"},
	"conflict":        {ZH: "当前状态不允许这样做", EN: "The present state does not allow this"},
	"denied":          {ZH: "没有权限", EN: "You may not do this"},
	"not_allowed":     {ZH: "没有权限", EN: "You may not do this"},
	"unauthenticated": {ZH: "请先登录", EN: "Log in first"},
	"unavailable":     {ZH: "暂时无法处理，请稍后再试", EN: "Not possible right now; try again"},

	// Pages.
	"form_stale":        {ZH: "页面已过期，请重新打开", EN: "This page is too old; open it again"},
	"unsafe_connection": {ZH: "当前连接不安全", EN: "This connection is not safe"},

	// Who is calling.
	"bearer_missing":         {ZH: "请先登录，或提供有效的密钥", EN: "Log in first, or send a valid API key"},
	"bearer_invalid":         {ZH: "登录已失效，请重新登录", EN: "The session or API key is not valid; log in again"},
	"key_revoked":            {ZH: "密钥已失效", EN: "The API key is not valid any more"},
	"terminal_key_revoked":   {ZH: "终端证书已吊销，请重新登记终端", EN: "The terminal's key was revoked; enrol the terminal again"},
	"terminal_key_in_use":    {ZH: "这个密钥属于另一台终端，请换一个新的", EN: "The key is another terminal's; make a new one"},
	"terminal_revoked":       {ZH: "终端未登记，或证书已吊销", EN: "The terminal is not enrolled, or its certificate was revoked"},
	"enrolment_code_invalid": {ZH: "登记码有误、已使用或已过期", EN: "The enrolment code is wrong, used or has expired"},
	"login_failed":           {ZH: "登录信息有误，或多次输错已锁定", EN: "The login is wrong, or locked after several wrong tries"},
	"no_session":             {ZH: "当前没有登录会话", EN: "There is no session to end"},

	// Passwords.
	"password_wrong":     {ZH: "支付密码错误", EN: "The payment password is wrong"},
	"password_locked":    {ZH: "支付密码已锁定，请稍后再试或联系客服", EN: "The payment password is locked; wait, or ask support"},
	"password_missing":   {ZH: "尚未设置支付密码", EN: "No payment password has been set"},
	"password_exists":    {ZH: "已设置支付密码，请用原密码修改", EN: "There is a payment password; change it with the old one"},
	"password_weak":      {ZH: "密码过于简单，请换一个", EN: "The password is too easy to guess"},
	"password_required":  {ZH: "放宽限额需要支付密码", EN: "Loosening a limit needs the payment password"},
	"password_changed":   {ZH: "支付密码刚刚修改过", EN: "The payment password has just been changed"},
	"password_unchanged": {ZH: "请先设置新的支付密码", EN: "A new payment password must be set first"},
	"reset_failed":       {ZH: "重置码有误、已使用或已过期", EN: "The reset code is wrong, used or has expired"},

	// Cases.
	"move_not_allowed":   {ZH: "工单在当前状态下不能这样流转", EN: "The case cannot go there from where it is"},
	"case_changed":       {ZH: "工单已被他人更新，请先查看", EN: "Somebody has changed the case; read it first"},
	"case_over":          {ZH: "工单已关闭，请先重新打开", EN: "The case is over; reopen it first"},
	"case_too_old":       {ZH: "工单关闭已久，请新建一个", EN: "The case has been over for too long; open a new one"},
	"too_many_cases":     {ZH: "一天内登记的工单过多，请在已有工单中补充", EN: "Too many cases in a day; add a note to one of them"},
	"too_many_notes":     {ZH: "这个工单的留言已达上限", EN: "This case has as many notes as there may be"},
	"too_many_links":     {ZH: "这个工单的关联已达上限", EN: "This case has as many links as there may be"},
	"too_many_checks":    {ZH: "这个工单的身份核验次数已达上限", EN: "This case has as many identity checks as there may be"},
	"too_many_files":     {ZH: "附件已达上限：20 个，共 50 MiB", EN: "The case has as many files as there may be: 20, of 50 MiB"},
	"file_kind":          {ZH: "只接受 JPEG、PNG 图片、PDF 和纯文本，且不含会运行的内容", EN: "Want JPEG, PNG, PDF or plain text, with nothing in it that runs"},
	"file_size":          {ZH: "文件过大，或图片像素过多", EN: "The file is too large, or the picture has too many points"},
	"file_malware":       {ZH: "扫描认为该文件含有恶意软件", EN: "The scanner takes the file for malware"},
	"scanner_away":       {ZH: "暂时无法扫描文件，请稍后再试", EN: "Files cannot be looked through at the moment; try again"},
	"pin_free_on":        {ZH: "小额免密仍为开启，或即将开启；请先关闭", EN: "PIN-free payment is on, or about to be; close it first"},
	"balance_left":       {ZH: "账户中还有余额；请先结清", EN: "There is money in the account; pay it out first"},
	"agreements_open":    {ZH: "还有未关闭的免密签约；请先关闭", EN: "An agreement is open; close it first"},
	"payments_open":      {ZH: "还有付款或退款尚未结束", EN: "A payment is under way, or money is still to go back"},
	"payouts_open":       {ZH: "工单中的赔付尚未了结", EN: "Compensation of a case is not paid or refused yet"},
	"contracts_open":     {ZH: "支付渠道尚未确认解约", EN: "A contract at a channel is signed, or its end is not confirmed"},
	"cases_open":         {ZH: "还有未结的工单", EN: "A case is open"},
	"complaints_open":    {ZH: "还有未结的投诉，或答复尚未送达", EN: "A complaint is open, or an answer to one is on its way"},
	"alarms_open":        {ZH: "还有未了结的风险告警", EN: "An alarm about the payer is not resolved"},
	"kept_by_law":        {ZH: "依法须保存的期限未满", EN: "The law has it kept for longer"},
	"files_away":         {ZH: "暂时无法存取附件，请稍后再试", EN: "Files cannot be kept or read at the moment; try again"},
	"note_conflict":      {ZH: "这个编号已用于另一条留言", EN: "This key was used for another note"},
	"no_payer":           {ZH: "工单尚未关联付款人", EN: "The case is about no payer yet"},
	"identity_unchecked": {ZH: "请先核验付款人身份，30 分钟内有效", EN: "Check the payer's identity first; a check is good for 30 minutes"},

	// Compensation.
	"guarantee_not_covered": {ZH: "准备金账户余额不足，须先由运营人员注资", EN: "The guarantee account does not cover this; an operator has to fund it first"},
	"payout_day_max":        {ZH: "超过一人一天可提出的赔付总额，请由同事办理", EN: "More than one person may order in a day; ask a colleague"},
	"payout_conflict":       {ZH: "这个编号已用于另一笔赔付", EN: "This key was used for another payout"},
	"too_many_payouts":      {ZH: "这个工单的赔付笔数已达上限", EN: "This case has as many payouts as there may be"},
	"case_undecided":        {ZH: "工单须先作出决定", EN: "The case has to be decided first"},
	"award_used_up":         {ZH: "超过决定所给赔付金额的余额", EN: "More than is left of what the decision gives"},
	"payout_case_max":       {ZH: "超过一件工单的赔付上限", EN: "More than may be paid in one case"},
	"payout_goodwill_max":   {ZH: "超过一件工单的善意补偿上限", EN: "More goodwill than may be paid in one case"},
	"payout_too_large":      {ZH: "超过这笔付款的余额（各工单的退款与赔付合并计算）", EN: "More than is left of the payment, refunds and payouts of all cases counted"},
	"payout_over":           {ZH: "这笔赔付已不在待办状态", EN: "This payout does not wait any more"},
	"balance_refused":       {ZH: "付款人的账户无法存入这笔金额", EN: "The payer's account cannot take this amount"},
	"funding_conflict":      {ZH: "这个转账编号已登记过另一金额", EN: "This reference was used with another amount"},

	// Alarms.
	"too_many_reports":    {ZH: "报告过于频繁，请稍后再试；情况紧急请联系客服", EN: "Too many reports at once; try again a little later, or call support if it is urgent"},
	"second_person":       {ZH: "须由第二人确认", EN: "A second person must do this"},
	"risk_rule_exists":    {ZH: "已有同名风险规则", EN: "There is a risk rule of that identifier"},
	"risk_rule_withdrawn": {ZH: "这条风险规则已撤下，请重新增加", EN: "This risk rule was withdrawn; add it again"},
	"too_many_risk_rules": {ZH: "自有风险规则已达上限", EN: "There are as many risk rules of your own as there may be"},
	"alarm_resolved":      {ZH: "告警已经了结", EN: "The alarm has been resolved"},
	"question_answered":   {ZH: "已作过不同的答复", EN: "The question was answered already"},
	"backtest_running":    {ZH: "另一条规则正在回测", EN: "Another rule is being tried"},
	"measure_taken":       {ZH: "措施已采取", EN: "This measure was taken already"},

	// Complaints.
	"complaint_over":    {ZH: "投诉已经完结", EN: "The complaint is over"},
	"complaint_changed": {ZH: "投诉有新进展，请先查看", EN: "There is news of the complaint; read it first"},
	"refund_pending":    {ZH: "退款尚未到账，到账后再完结投诉", EN: "A refund is not through yet; complete the complaint when the payer has the money"},
	"answer_waiting":    {ZH: "上一项处理正在送达渠道，请稍后再试", EN: "Another answer is on its way to the channel; wait a little"},
	"answer_conflict":   {ZH: "这个编号已用于另一项处理", EN: "This key was used for another answer"},
	"too_many_answers":  {ZH: "这项投诉的处理次数已达上限", EN: "This complaint has as many answers as there may be"},

	"complaint_conflict":  {ZH: "这个编号已用于另一项内容", EN: "This key was used for something else"},
	"complaint_open":      {ZH: "这笔付款已有未完结的投诉，请在其中留言", EN: "There is an open complaint about this payment; write to that one"},
	"complaint_late":      {ZH: "付款已超过 180 天，不能再投诉", EN: "The payment was more than 180 days ago"},
	"not_complainable":    {ZH: "这笔付款没有从本钱包扣款，不能在此投诉", EN: "This payment took nothing from this wallet"},
	"too_many_complaints": {ZH: "投诉数量已达上限", EN: "There are as many complaints as there may be"},
	"too_many_pictures":   {ZH: "图片数量已达上限", EN: "There are as many pictures as there may be"},
	"too_many_messages":   {ZH: "这项投诉的留言次数已达上限", EN: "This complaint has as many messages as there may be"},

	// Payers.
	"phone_taken":       {ZH: "这个手机号已被使用", EN: "This phone number is taken"},
	"agreement_closed":  {ZH: "免密签约已关闭", EN: "The agreement is closed"},
	"mandate_ended":     {ZH: "免密签约已关闭，未扣款", EN: "The agreement has ended; nothing was taken"},
	"contract_signed":   {ZH: "已在支付渠道签约", EN: "A contract is signed at the payment system already"},
	"contract_unsigned": {ZH: "该合约尚未签署", EN: "Nobody has signed this contract"},
	"contract_session":  {ZH: "支付渠道暂时无法发起签约，请稍后再试", EN: "The payment system gave no session to sign in; try again"},
	"held":              {ZH: "免密支付暂停中，暂停结束前每笔付款都须验证密码", EN: "PIN-free payment is on hold; every payment asks for the password until it ends"},
	"frozen":            {ZH: "已挂失，须由客服解除", EN: "A loss report stands; support must lift it first"},
	"text_changed":      {ZH: "条款已更新，请阅读最新版本", EN: "The text has changed; read the current one"},
	"too_many_codes":    {ZH: "付款码申请过多，请稍后再试", EN: "Too many payment codes are live; wait a little"},
	"too_many":          {ZH: "数量已达上限", EN: "There are too many already"},
	"exists":            {ZH: "已经存在", EN: "It exists already"},

	// Payments.
	"order_conflict":       {ZH: "这个订单号已用于内容不同的付款，请换一个", EN: "This order number was used for a different payment"},
	"order_closed":         {ZH: "这个订单号已关闭，请换一个", EN: "This order number was closed; use a new one"},
	"order_reversed":       {ZH: "这个订单号已撤销，请换一个", EN: "This order number was reversed; use a new one"},
	"outcome_unknown":      {ZH: "结果未知，请按订单号查询或原样重发", EN: "The outcome is not known; ask by order number or send the same again"},
	"deadline":             {ZH: "未能及时处理，本次请求未处理，请原样重发", EN: "There was no answer in time; this request did nothing, send the same again"},
	"overloaded":           {ZH: "系统繁忙，本次请求未处理，请原样重发", EN: "Too many are waiting; this request did nothing, send the same again"},
	"payer_busy":           {ZH: "该付款人的另一项操作尚未完成，本次请求未处理，请稍后原样重发", EN: "Another change of this payer is under way; this request did nothing, send the same again"},
	"busy":                 {ZH: "系统繁忙，请稍后再试", EN: "Too busy right now; try again"},
	"lost":                 {ZH: "处理时发生冲突，请重试", EN: "It lost against another change; try again"},
	"stopping":             {ZH: "服务正在停止，请稍后再试", EN: "The server is stopping; try again"},
	"not_durable":          {ZH: "数据库没有设置为可靠落盘", EN: "The database is not set to keep what it has confirmed"},
	"not_distributable":    {ZH: "数据库不支持分布式表", EN: "The database cannot spread its tables"},
	"other_keys":           {ZH: "数据库属于另一份服务密钥，请恢复原密钥文件", EN: "The database was filled with other server keys; restore that file"},
	"replaced":             {ZH: "打开期间数据库文件被替换，请重新启动", EN: "The database file was replaced while it was opened; start again"},
	"schema":               {ZH: "数据库结构版本不符", EN: "The database has another schema"},
	"code_invalid":         {ZH: "付款码无效，请顾客刷新后再试", EN: "The payment code is not known; ask for a new one"},
	"code_used":            {ZH: "付款码已使用，请顾客刷新后再试", EN: "The payment code was used; ask for a new one"},
	"code_expired":         {ZH: "付款码已过期，请顾客刷新后再试", EN: "The payment code has run out; ask for a new one"},
	"too_many_wrong_codes": {ZH: "无效付款码过多，请稍后再试", EN: "Too many unknown payment codes; wait a little"},
	"not_waiting":          {ZH: "这笔付款不在等待验证", EN: "This payment does not wait for a password"},
	"step_up_expired":      {ZH: "验证已超时，请重新收款", EN: "The time for the password is over; start again"},
	"confirmed_elsewhere":  {ZH: "请顾客在二维码所属的应用里确认", EN: "This payment is confirmed in the app whose QR code is shown"},
	"no_terminal_pin":      {ZH: "这台终端不能输入密码，请换一种方式", EN: "This terminal cannot ask for a PIN; use another way"},
	"pin_key_unknown":      {ZH: "加密密钥已更换，请重新获取", EN: "The PIN key has been replaced; fetch the present one"},
	"no_display":           {ZH: "这台终端不能显示二维码", EN: "This terminal cannot show a QR code"},
	"qr_expired":           {ZH: "二维码已过期，请重新获取", EN: "The QR code has run out; ask for a new one"},
	"not_reversible":       {ZH: "这笔付款不能撤销", EN: "This payment cannot be reversed"},
	"too_late_to_reverse":  {ZH: "已超过撤销时间，请改为退款", EN: "It is too late to reverse; refund the payment"},
	"not_refundable":       {ZH: "这笔付款不能退款", EN: "This payment cannot be refunded"},
	"not_given_back":       {ZH: "支付渠道拒绝退回这笔款项，请稍后退款，或用其他方式退还", EN: "The payment system has refused to give this money back: refund it later, or in another way"},
	"refund_conflict":      {ZH: "这个退款单号已用于其他金额", EN: "This refund number was used with another amount"},
	"refund_too_large":     {ZH: "退款超过可退金额", EN: "The refund is more than what is left"},
	"too_many_refunds":     {ZH: "退款次数已达上限", EN: "The payment has too many refunds"},
	"top_up_conflict":      {ZH: "这个充值单号已用于其他金额", EN: "This top-up key was used with another amount"},
	"insufficient_funds":   {ZH: "余额不足", EN: "The balance is not enough"},
	"currency_mismatch":    {ZH: "账户币种不同", EN: "The account has another currency"},
	"balance_too_large":    {ZH: "账户余额将超过上限", EN: "The balance would be too large"},

	// Evidence.
	"receipt_not_ready": {ZH: "凭证尚未就绪，请一秒后再取", EN: "The receipt is not ready yet; ask again in a second"},

	// Merchants, policies, staff.
	"policy_changed":   {ZH: "设置已变动，请重新查看", EN: "The policy has changed; look again"},
	"approval_decided": {ZH: "这项申请已处理", EN: "The proposal has been decided"},
	"approval_expired": {ZH: "这项申请已过期，请重新提交", EN: "The proposal has expired; make it again"},
	"approval_lapsed":  {ZH: "设置已变动，申请失效，请重新提交", EN: "The setting has changed, so the proposal lapsed"},
	"same_person":      {ZH: "须由另一人复核", EN: "A second person has to approve it"},
	"not_independent": {ZH: "复核人与申请人必须相互独立：不得由一方创建或重置另一方的账户或密钥，也不得同由一人创建；店长或接口密钥的申请由平台人员复核",
		EN: "Who approves must be independent of who proposed: neither made or reset the other's account or key, nor did one person make both; what a store manager or an API key proposes is approved by whoever runs this system"},
	"too_many_webhooks":      {ZH: "推送地址过多", EN: "There are too many webhooks here"},
	"wechat_identity_exists": {ZH: "该商户已有微信支付兼容凭据", EN: "This merchant has WeChat Pay credentials already"},
	"too_many_serials":       {ZH: "证书序列号过多，请先吊销一个", EN: "There are too many serials; revoke one first"},
	"too_many_proposals":     {ZH: "待复核的申请过多", EN: "Too many proposals wait here"},
	"rules_unchanged":        {ZH: "这些规则包已按此内容启用", EN: "These rule packs are in force as they are"},
	"pack_version_old":       {ZH: "规则包版本低于启用中的版本", EN: "The rule pack's version is lower than the one in force"},
	"pack_version_taken":     {ZH: "这个规则包版本已用于另一份内容，请提高版本号", EN: "This version of the rule pack has been in force with another text; raise it"},
	"rules_unreadable":       {ZH: "启用中的规则包有一部分无法读取，请升级程序或撤下该规则包", EN: "Some rule pack in force cannot be read; upgrade the program or withdraw that pack"},
	"too_many_stops":         {ZH: "紧急停用过多", EN: "There are too many emergency stops here"},
	"program_rollout_exists": {ZH: "这个程序版本已有或曾有分批下发，请查看它，或改发新的版本", EN: "This version of the program has a staged rollout, or had one; look at it, or publish a newer version"},
	"rollout_running":        {ZH: "此处正在分批推行，请等它完成或先终止它", EN: "A staged rollout runs here; let it finish or stop it first"},
	"rollout_over":           {ZH: "分批推行已结束", EN: "The staged rollout is over"},
	"rollout_paused":         {ZH: "分批推行已暂停", EN: "The staged rollout is paused"},
	"rollout_not_paused":     {ZH: "分批推行没有暂停", EN: "The staged rollout is not paused"},
	"stop_over":              {ZH: "紧急停用已结束", EN: "The emergency stop is over"},
	"login_taken":            {ZH: "这个登录名已被使用", EN: "This login name is taken"},
	"staff_exists":           {ZH: "已有员工账户", EN: "There are members of staff already"},
	"last_operator":          {ZH: "不能停用最后一位运营人员", EN: "The last operator stays"},
	"own_account":            {ZH: "须由他人停用这个账户", EN: "Another person must deactivate this account"},
}

// title is the title of a problem.
func title(code string, status int) mianmi.Text {
	if t, ok := problemTitles[code]; ok {
		return t
	}
	for _, k := range kinds {
		if k.status == status {
			return problemTitles[k.code]
		}
	}
	return mianmi.Text{ZH: "请求未能完成", EN: http.StatusText(status)}
}
