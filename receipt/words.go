package receipt

import (
	"strings"

	"github.com/mianmi/mianmi"
)

// sentences says what each type of entry records. {who} is the actor, {what} the
// subject. A test fails when some package writes a type that is not here.
var sentences = map[string]mianmi.Text{
	"payer.created":               {ZH: "{who}开立了{what}的账户", EN: "{who} opened the account of {what}"},
	"payer.pin_free.closed":       {ZH: "{who}关闭了{what}的小额免密支付", EN: "{who} closed PIN-free payment for {what}"},
	"payer.pin_free.reopened":     {ZH: "{who}申请为{what}重新开启小额免密支付", EN: "{who} asked for PIN-free payment to be opened again for {what}"},
	"payer.settings.in_force":     {ZH: "冷静期结束，{what}放宽后的设置生效", EN: "the cooling-off was over, and the loosened settings of {what} came into force"},
	"payer.limits.changed":        {ZH: "{who}修改了{what}的自设限额", EN: "{who} changed the own limits of {what}"},
	"payer.loss.reported":         {ZH: "{who}为{what}挂失，全部免密支付立即冻结", EN: "{who} reported a loss for {what}: everything PIN-free was frozen at once"},
	"payer.exported":              {ZH: "{who}导出了所保存的{what}的全部数据", EN: "{who} exported all that is kept on {what}"},
	"payer.erased":                {ZH: "{who}删除了{what}的个人信息", EN: "{who} erased the person of {what}"},
	"payer.loss.lifted":           {ZH: "{who}核实身份后解除了{what}的挂失", EN: "{who} checked the identity and lifted the loss report of {what}"},
	"payer.hold.placed":           {ZH: "{who}暂停了{what}的免密支付，到期前每笔付款都须验证", EN: "{who} put PIN-free payment of {what} on hold: every payment asks for authentication until it ends"},
	"payer.question.asked":        {ZH: "已向{what}询问一次可疑情况是否本人所为", EN: "{what} was asked whether something unusual was their doing"},
	"payer.question.confirmed":    {ZH: "{what}凭支付密码确认是本人所为", EN: "{what} confirmed with the payment password that it was their doing"},
	"payer.question.denied":       {ZH: "{what}答复不是本人所为，免密支付立即暂停", EN: "{what} answered that it was not their doing, and PIN-free payment was put on hold at once"},
	"payer.question.unanswered":   {ZH: "{what}未在时限内答复，付款须验证", EN: "{what} did not answer in time, and payments ask for authentication"},
	"payer.hold.lifted":           {ZH: "{who}提前解除了{what}的免密暂停", EN: "{who} lifted the hold on PIN-free payment of {what} before its end"},
	"payer.allowance.granted":     {ZH: "{who}为{what}给出一次免密放行", EN: "{who} allowed {what} one PIN-free payment"},
	"payer.allowance.revoked":     {ZH: "{who}收回了{what}的单次免密放行", EN: "{who} took back the one PIN-free payment that {what} was allowed"},
	"payer.agreement.opened":      {ZH: "{who}为{what}开通了与商户的免密签约", EN: "{who} opened a PIN-free agreement of {what} with a merchant"},
	"payer.agreement.closed":      {ZH: "{who}解除了{what}与商户的免密签约", EN: "{who} closed the PIN-free agreement of {what} with a merchant"},
	"payer.instrument.added":      {ZH: "{who}为{what}添加了一张卡", EN: "{who} added a card of {what}"},
	"payer.password.set":          {ZH: "{who}为{what}设置了支付密码", EN: "{who} set the payment password of {what}"},
	"payer.password.changed":      {ZH: "{who}修改了{what}的支付密码", EN: "{who} changed the payment password of {what}"},
	"payer.password.locked":       {ZH: "{what}的支付密码多次输错，已锁定", EN: "the payment password of {what} was locked after wrong tries"},
	"payer.password.unlocked":     {ZH: "{who}核实身份后解锁了{what}的支付密码", EN: "{who} checked the identity and unlocked the payment password of {what}"},
	"payer.password.reset_issued": {ZH: "{who}核实身份后为{what}发出一次性重置码", EN: "{who} checked the identity and issued a one-time reset code to {what}"},
	"payer.password.reset":        {ZH: "{who}用一次性重置码为{what}设置了新的支付密码", EN: "{who} set a new payment password for {what} with a one-time reset code"},

	"payer.password.failed":   {ZH: "{what}的支付密码输错一次", EN: "a wrong payment password was given for {what}"},
	"payer.password.verified": {ZH: "{what}的支付密码验证通过", EN: "the payment password of {what} was verified"},

	"payment.try_failed":     {ZH: "付款 {what} 的验证输错一次", EN: "a wrong password or PIN was given for payment {what}"},
	"payment.verified":       {ZH: "{who}通过了付款 {what} 的验证", EN: "{who} was verified for payment {what}"},
	"payment.cancelled":      {ZH: "{who}取消了付款 {what}", EN: "{who} called payment {what} off"},
	"payment.expired":        {ZH: "付款 {what} 等待验证超时，未扣款", EN: "payment {what} was not verified in time; nothing was taken"},
	"payment.payer_asked":    {ZH: "支付渠道正请付款人确认付款 {what}", EN: "the payment system asks the payer to confirm payment {what}"},
	"payment.unclear":        {ZH: "支付渠道对付款 {what} 尚无明确答复，继续查询", EN: "the payment system gave no clear answer about payment {what}, and is asked again"},
	"payment.captured":       {ZH: "支付渠道确认付款 {what} 已收款", EN: "the payment system confirmed that payment {what} was paid"},
	"payment.undoing":        {ZH: "付款 {what} 正在撤销，等待支付渠道确认", EN: "payment {what} is being undone, which waits for the payment system's word"},
	"payment.declined":       {ZH: "支付渠道确认付款 {what} 未扣款", EN: "the payment system confirmed that nothing was taken for payment {what}"},
	"payment.late":           {ZH: "付款 {what} 结束后又到账，自动退回付款人", EN: "money for payment {what} came after it had ended, and goes back to the payer by itself"},
	"payment.refund_pending": {ZH: "{who}为付款 {what} 发起退款，等待支付渠道确认", EN: "{who} asked for a refund of payment {what}, which waits for the payment system's word"},
	"payment.not_given_back": {ZH: "付款 {what} 应退回，支付渠道拒绝退款，款项仍在商户处", EN: "payment {what} was to go back; the payment system refuses, and the merchant still has the money"},
	"payment.undo_stalled":   {ZH: "付款 {what} 正在撤销，支付渠道一周没有明确答复，不再自动查询，须人工处理", EN: "payment {what} is to be undone; the payment system has not said clearly for a week how it stands, and people have to look"},
	"payment.return_stalled": {ZH: "付款 {what} 应退回，支付渠道一周没有明确答复，款项仍记为应退", EN: "payment {what} is to go back; the payment system has not said clearly for a week whether it did, and it is still owed"},
	"payment.refund_stalled": {ZH: "付款 {what} 的一笔退款，支付渠道一周没有明确答复，仍记为应退", EN: "a refund of payment {what}: the payment system has not said clearly for a week whether it gave it back, and it is still owed"},
	"payment.refund_failed":  {ZH: "支付渠道没有办理付款 {what} 的一笔退款", EN: "the payment system did not give back a refund of payment {what}"},
	"payment.reversed":       {ZH: "{who}撤销了付款 {what}", EN: "{who} reversed payment {what}"},
	"payment.refunded":       {ZH: "{who}对付款 {what} 退款", EN: "{who} refunded payment {what}, in part or in full"},
	"top_up.added":           {ZH: "{who}为{what}充值", EN: "{who} topped up the balance of {what}"},

	"payment.decided": {ZH: "系统对付款 {what} 作出判定", EN: "the system decided payment {what}"},

	"merchant.created":                   {ZH: "{who}登记了{what}", EN: "{who} registered {what}"},
	"merchant.channel.connected":         {ZH: "{what}接通了外部支付渠道", EN: "{what} was connected to a payment channel outside"},
	"merchant.renamed":                   {ZH: "{who}修改了{what}的名称", EN: "{who} renamed {what}"},
	"merchant.facts.tightened":           {ZH: "{who}修改了{what}的登记资料，属于收紧，立即生效", EN: "{who} changed the facts about {what}, a tightening in force at once"},
	"merchant.facts.loosening_proposed":  {ZH: "{who}申请修改{what}的登记资料，属于放宽，待第二人复核", EN: "{who} proposed to change the facts about {what}, a loosening that waits for a second person"},
	"merchant.facts.loosened":            {ZH: "{who}复核通过，{what}的登记资料放宽生效", EN: "{who} approved the loosened facts about {what}, which came into force"},
	"merchant.policy.tightened":          {ZH: "{who}收紧了{what}的免密策略，立即生效", EN: "{who} tightened the PIN-free policy of {what}, in force at once"},
	"merchant.policy.loosening_proposed": {ZH: "{who}申请放宽{what}的免密策略，待第二人复核", EN: "{who} proposed to loosen the PIN-free policy of {what}, which waits for a second person"},
	"merchant.policy.loosened":           {ZH: "{who}复核通过，{what}放宽后的免密策略生效", EN: "{who} approved the loosened PIN-free policy of {what}, which came into force"},
	"rollout.started":                    {ZH: "{who}复核通过，{what}放宽后的免密策略开始分批推行", EN: "{who} approved that the loosened PIN-free policy of {what} comes in stages; the first has begun"},
	"rollout.advanced":                   {ZH: "{what}的分批推行进入下一批（{who}）", EN: "the staged rollout for {what} went on to its next stage ({who})"},
	"rollout.paused":                     {ZH: "{what}的分批推行已暂停（{who}）", EN: "the staged rollout for {what} was paused ({who})"},
	"rollout.resumed":                    {ZH: "{who}恢复了{what}的分批推行", EN: "{who} resumed the staged rollout for {what}"},
	"rollout.stopped":                    {ZH: "{what}的分批推行已终止，原条款立即对全部终端恢复（{who}）", EN: "the staged rollout for {what} was stopped, and the former terms are back at every terminal at once ({who})"},
	"rollout.finished":                   {ZH: "{what}的分批推行已完成，全部终端适用新条款（{who}）", EN: "the staged rollout for {what} is finished: the new terms hold at every terminal ({who})"},
	"program.started":                    {ZH: "{who}开始向终端分批下发{what}", EN: "{who} began to bring {what} to terminals in stages"},
	"program.advanced":                   {ZH: "{what}的分批下发进入下一批（{who}）", EN: "the staged rollout of {what} went on to its next stage ({who})"},
	"program.paused":                     {ZH: "{what}的分批下发已暂停，期间不再发给任何终端（{who}）", EN: "the staged rollout of {what} was paused, and no terminal gets it meanwhile ({who})"},
	"program.resumed":                    {ZH: "{who}恢复了{what}的分批下发", EN: "{who} resumed the staged rollout of {what}"},
	"program.stopped":                    {ZH: "{what}的分批下发已终止，不再发给任何终端（{who}）", EN: "the staged rollout of {what} was stopped, and no terminal gets it any more ({who})"},
	"program.finished":                   {ZH: "{what}的分批下发已完成，该机型的全部终端均可获取（{who}）", EN: "the staged rollout of {what} is finished: every terminal of the model may have it ({who})"},
	"merchant.stop.placed":               {ZH: "{who}对{what}紧急停用免密支付", EN: "{who} placed an emergency stop of PIN-free payment on {what}"},
	"merchant.stop.lift_proposed":        {ZH: "{who}申请解除{what}的紧急停用，待第二人复核", EN: "{who} proposed to lift the emergency stop on {what}, which waits for a second person"},
	"merchant.stop.lifted":               {ZH: "{who}解除了{what}的紧急停用", EN: "{who} lifted the emergency stop on {what}"},
	"merchant.approval.lapsed":           {ZH: "{what}的一项待复核申请因设置变动而失效", EN: "a proposal about {what} lapsed, since the setting had changed"},
	"merchant.approval.rejected":         {ZH: "{who}驳回了{what}的一项申请", EN: "{who} rejected a proposal about {what}"},
	"merchant.approval.withdrawn":        {ZH: "{who}撤回了{what}的一项申请", EN: "{who} withdrew a proposal about {what}"},
	"terminals.tightened":                {ZH: "{who}收紧了终端策略，立即生效", EN: "{who} tightened the policy on terminals, in force at once"},
	"terminals.loosening_proposed":       {ZH: "{who}申请放宽终端策略，待第二人复核", EN: "{who} proposed to loosen the policy on terminals, which waits for a second person"},
	"terminals.loosened":                 {ZH: "{who}复核通过，放宽后的终端策略生效", EN: "{who} approved the loosened policy on terminals, which came into force"},
	"store.created":                      {ZH: "{who}登记了{what}", EN: "{who} registered {what}"},
	"store.changed":                      {ZH: "{who}修改了{what}的资料", EN: "{who} changed the particulars of {what}"},

	"model.created":              {ZH: "{who}登记了{what}", EN: "{who} registered {what}"},
	"model.renamed":              {ZH: "{who}修改了{what}的名称", EN: "{who} renamed {what}"},
	"terminal.created":           {ZH: "{who}登记了{what}", EN: "{who} registered {what}"},
	"terminal.renamed":           {ZH: "{who}修改了{what}的名称", EN: "{who} renamed {what}"},
	"terminal.moved":             {ZH: "{who}把{what}移到另一家门店", EN: "{who} moved {what} to another store"},
	"terminal.enrolment.issued":  {ZH: "{who}为{what}发出一次性注册码", EN: "{who} issued a one-time enrolment code for {what}"},
	"terminal.key.issued":        {ZH: "{what}注册了自己的密钥", EN: "{what} enrolled with a key of its own"},
	"terminal.key.replaced":      {ZH: "{what}换用新密钥，原密钥失效", EN: "a new key of {what} took the place of the one before"},
	"terminal.setting.attested":  {ZH: "{what}证实了所运行的设置", EN: "{what} proved the setting that it runs"},
	"terminal.setting.fell_back": {ZH: "{what}退回了较早的设置", EN: "{what} fell back to an older setting"},
	"terminal.setting.lost":      {ZH: "{what}不再运行任何设置", EN: "{what} runs no setting any more"},
	"terminal.setting.refused":   {ZH: "{what}拒绝运行一份设置", EN: "{what} refused to run a setting"},
	"terminal.setting.proposed":  {ZH: "{what}的菜单里提出了更改", EN: "a change was made in the menu of {what}"},
	"terminal.drift.began":       {ZH: "{what}运行了无人下达的设置（漂移）", EN: "{what} began to run what nobody asked for (drift)"},
	"terminal.drift.ended":       {ZH: "{what}不再漂移", EN: "the drift of {what} ended"},
	"terminal.posture.changed":   {ZH: "{what}的安全状况有变", EN: "the security state of {what} changed"},
	"terminal.report.refused":    {ZH: "{what}的一份报告被拒收", EN: "a report of {what} was refused"},
	"terminal.check.reported":    {ZH: "{what}报告了一项检查", EN: "{what} told of a check"},
	"terminal.check.judged":      {ZH: "{what}的一项检查已核实", EN: "a check of {what} was judged"},
	"terminal.trouble.reported":  {ZH: "有人在{what}上报告异常", EN: "somebody at {what} said that something is wrong"},
	"terminal.off.in_force":      {ZH: "{what}已在范围内全部终端生效", EN: "{what} came in force on every terminal in its scope"},
	"terminal.off.late":          {ZH: "{what}逾期仍未在全部终端生效", EN: "{what} was not in force on every terminal by its deadline"},
	"terminal.keys.revoked":      {ZH: "{who}吊销了{what}的全部密钥", EN: "{who} revoked every key of {what}"},

	"staff.created":          {ZH: "{who}创建了{what}的账户", EN: "{who} created the account of {what}"},
	"staff.deactivated":      {ZH: "{who}停用了{what}的账户", EN: "{who} deactivated the account of {what}"},
	"staff.reset":            {ZH: "{who}重置了{what}的密码和动态口令", EN: "{who} reset password and one-time passwords of {what}"},
	"staff.login":            {ZH: "{what}登录", EN: "{what} logged in"},
	"staff.login_failed":     {ZH: "{what}的登录信息输错一次", EN: "a wrong password or code was given for the login of {what}"},
	"staff.locked":           {ZH: "{what}的登录多次输错，已锁定", EN: "the login of {what} was locked after wrong tries"},
	"staff.password.changed": {ZH: "{who}修改了登录密码", EN: "{who} changed the own login password"},
	"api_key.created":        {ZH: "{who}创建了{what}", EN: "{who} created {what}"},
	"api_key.revoked":        {ZH: "{who}吊销了{what}", EN: "{who} revoked {what}"},

	"rule.pack.proposed":   {ZH: "{who}申请变更{what}，待第二人复核", EN: "{who} proposed a change of {what}, which waits for a second person"},
	"rule.pack.in_force":   {ZH: "{what}由{who}启用", EN: "{who} put {what} in force"},
	"rule.pack.withdrawn":  {ZH: "{what}由{who}撤下", EN: "{who} took {what} out of force"},
	"rule.pack.rejected":   {ZH: "{who}驳回了{what}的变更申请", EN: "{who} rejected a proposed change of {what}"},
	"rule.pack.taken_back": {ZH: "{who}撤回了{what}的变更申请", EN: "{who} took back a proposed change of {what}"},
	"rule.pack.lapsed":     {ZH: "{what}的一项变更申请因规则变动而失效", EN: "a proposed change of {what} lapsed, since the rules had changed"},

	"wechat.identity.made":          {ZH: "{who}为{what}开通了微信支付兼容凭据", EN: "{who} gave {what} WeChat Pay credentials"},
	"wechat.identity.changed":       {ZH: "{who}修改了{what}的微信支付兼容凭据", EN: "{who} changed the WeChat Pay credentials of {what}"},
	"wechat.serial.added":           {ZH: "{who}为{what}增加了一个微信支付兼容证书序列号", EN: "{who} added a WeChat Pay serial to {what}"},
	"case.opened":                   {ZH: "{who}登记了{what}", EN: "{who} opened {what}"},
	"case.repeated":                 {ZH: "{who}就{what}再次反映", EN: "{who} reported again what {what} is about"},
	"case.moved":                    {ZH: "{who}变更了{what}的进度", EN: "{who} moved {what} on"},
	"case.assigned":                 {ZH: "{who}为{what}指定了经办人", EN: "{who} assigned {what}"},
	"case.noted":                    {ZH: "{who}在{what}中留言", EN: "{who} wrote a note on {what}"},
	"case.packed":                   {ZH: "{who}导出了{what}的证据包", EN: "{who} handed out a proof pack of {what}"},
	"case.attached":                 {ZH: "{who}为{what}添加了附件", EN: "{who} attached a file to {what}"},
	"case.linked":                   {ZH: "{who}为{what}补充了关联", EN: "{who} linked more to {what}"},
	"case.identity_checked":         {ZH: "{who}为{what}核验了付款人身份", EN: "{who} made an identity check for {what}"},
	"case.acted":                    {ZH: "{who}在{what}中代付款人办理", EN: "{who} acted for the payer of {what}"},
	"case.decided":                  {ZH: "{who}对{what}作出了决定", EN: "{who} decided {what}"},
	"case.complaint":                {ZH: "{what}所涉投诉有了新进展", EN: "there was news of a complaint that {what} is of"},
	"case.payout_ordered":           {ZH: "{who}在{what}中提出赔付", EN: "{who} ordered a payout in {what}"},
	"case.payout_approved":          {ZH: "{who}复核通过了{what}的赔付", EN: "{who} approved a payout of {what} as the second person"},
	"case.payout_paid":              {ZH: "{what}的赔付已完成", EN: "a payout of {what} was paid"},
	"case.payout_refused":           {ZH: "{what}的赔付未执行", EN: "a payout of {what} was refused"},
	"guarantee.funded":              {ZH: "{who}向赔付准备金账户注资", EN: "{who} funded the guarantee account"},
	"case.escalated":                {ZH: "{what}的期限将到或已过，{who}作了提醒", EN: "{who} told of a deadline of {what}"},
	"risk.rule.added":               {ZH: "{who}增加了{what}，先在影子状态运行", EN: "{who} added {what} in shadow"},
	"risk.rule.promoted":            {ZH: "{who}启用了{what}", EN: "{who} let {what} raise alarms"},
	"risk.rule.withdrawal_proposed": {ZH: "{who}提议撤下{what}", EN: "{who} proposed to withdraw {what}"},
	"risk.rule.kept":                {ZH: "{who}否决了撤下{what}的提议", EN: "{who} kept {what}, which was to be withdrawn"},
	"risk.rule.withdrawn":           {ZH: "{who}撤下了{what}", EN: "{who} withdrew {what}"},
	"alarm.opened":                  {ZH: "{who}发出了{what}", EN: "{who} raised {what}"},
	"alarm.reported":                {ZH: "{who}报告了异常：{what}", EN: "{who} reported that something is wrong: {what}"},
	"alarm.escalated":               {ZH: "{what}无人处理，{who}作了升级", EN: "{who} escalated {what}, which nobody had taken up"},
	"alarm.acknowledged":            {ZH: "{who}接手了{what}", EN: "{who} took up {what}"},
	"alarm.resolved":                {ZH: "{who}了结了{what}", EN: "{who} resolved {what}"},
	"complaint.opened":              {ZH: "收到{what}", EN: "{what} came in"},
	"complaint.answer.ordered":      {ZH: "{who}对{what}作出了处理", EN: "{who} answered {what}"},
	"complaint.answer.done":         {ZH: "对{what}的处理已被渠道接受", EN: "the channel took an answer to {what}"},
	"complaint.answer.failed":       {ZH: "对{what}的一项处理未能送达渠道", EN: "an answer to {what} did not come through to the channel"},
	"complaint.changed":             {ZH: "{what}有新进展", EN: "there is news of {what}"},
	"contract.opened":               {ZH: "{who}为付款人发起在支付渠道签约{what}", EN: "{who} opened a session in which {what} can be signed"},
	"contract.signed":               {ZH: "支付渠道确认{what}已由付款人签约", EN: "the payment system confirmed that the payer signed {what}"},
	"contract.revoked":              {ZH: "{who}关闭了{what}，等待支付渠道确认", EN: "{who} closed {what}, which waits for the payment system's word"},
	"contract.ended":                {ZH: "支付渠道确认{what}已解约", EN: "the payment system confirmed that {what} is ended"},
	"contract.ended_unannounced":    {ZH: "查询发现{what}已在支付渠道解约，此前未收到通知；对应的免密签约随即关闭", EN: "{what} was found ended at the payment system, of which no notification had come; its agreement was closed at once"},

	"webhook.created":        {ZH: "{who}创建了{what}", EN: "{who} created {what}"},
	"webhook.changed":        {ZH: "{who}修改了{what}", EN: "{who} changed {what}"},
	"webhook.paused":         {ZH: "{who}暂停了{what}", EN: "{who} paused {what}"},
	"webhook.resumed":        {ZH: "{who}恢复了{what}", EN: "{who} resumed {what}"},
	"webhook.removed":        {ZH: "{who}删除了{what}", EN: "{who} removed {what}"},
	"webhook.replayed":       {ZH: "{who}要求{what}重新发送通知", EN: "{who} had {what} send its messages again"},
	"webhook.secret.rotated": {ZH: "{who}更换了{what}的签名密钥", EN: "{who} replaced the signing secret of {what}"},
	"webhook.gone":           {ZH: "{what}的接收方已永久拒收，停止发送", EN: "the receiver of {what} refused for good, and sending ended"},

	"wechat.platform_key.added":   {ZH: "{who}新建了微信支付兼容接口的平台密钥{what}", EN: "{who} made the platform key {what} of the WeChat Pay front"},
	"wechat.platform_key.revoked": {ZH: "{who}吊销了微信支付兼容接口的平台密钥{what}", EN: "{who} revoked the platform key {what} of the WeChat Pay front"},

	"log.set_back":    {ZH: "{who}发现{what}倒退到较早的副本，已对全部付款关闭免密", EN: "{who} found that {what} had gone back to an older copy, and closed PIN-free payment for everything"},
	"log.restored":    {ZH: "{who}用备份恢复了{what}的数据库", EN: "{who} restored the database of {what} from a backup"},
	"log.key.changed": {ZH: "{who}更换了透明日志的签名密钥，新旧密钥均已签字", EN: "{who} changed the key of the transparency log; the old key and the new one signed it"},
}

// unknownSentence is said of a type that a newer program wrote.
var unknownSentence = mianmi.Text{ZH: "{who}对{what}做了一项本程序版本不认识的变更", EN: "{who} made a change to {what} of a kind that this version of the program does not know"}

// roles name actors, with {id}.
var roles = map[string]mianmi.Text{
	"payer":          {ZH: "付款人 {id} ", EN: "payer {id}"},
	"cashier":        {ZH: "收银员 {id} ", EN: "cashier {id}"},
	"store_manager":  {ZH: "店长 {id} ", EN: "store manager {id}"},
	"merchant_admin": {ZH: "商户管理员 {id} ", EN: "merchant administrator {id}"},
	"support_agent":  {ZH: "客服 {id} ", EN: "support agent {id}"},
	"risk_analyst":   {ZH: "风控人员 {id} ", EN: "risk analyst {id}"},
	"operator":       {ZH: "运营人员 {id} ", EN: "operator {id}"},
	"auditor":        {ZH: "审计人员 {id} ", EN: "auditor {id}"},
	"api_client":     {ZH: "接口密钥 {id} ", EN: "API key {id}"},
	"system":         {ZH: "系统（{id}）", EN: "the system ({id})"},
	"terminal":       {ZH: "终端 {id} ", EN: "terminal {id}"},
}

// subjects name what an entry is about, by the beginning of its identifier.
var subjects = []struct {
	prefix string
	words  mianmi.Text
}{
	{"py", mianmi.Text{ZH: "付款人 {id} ", EN: "payer {id}"}},
	{"pm", mianmi.Text{ZH: "{id}", EN: "{id}"}},
	{"mc", mianmi.Text{ZH: "商户 {id} ", EN: "merchant {id}"}},
	{"st", mianmi.Text{ZH: "门店 {id} ", EN: "store {id}"}},
	{"md", mianmi.Text{ZH: "机型 {id} ", EN: "model {id}"}},
	{"tm", mianmi.Text{ZH: "终端 {id} ", EN: "terminal {id}"}},
	{"sf", mianmi.Text{ZH: "员工 {id} ", EN: "staff member {id}"}},
	{"ak", mianmi.Text{ZH: "接口密钥 {id} ", EN: "API key {id}"}},
	{"cc", mianmi.Text{ZH: "渠道免密协议 {id} ", EN: "contract {id}"}},
	{"wh", mianmi.Text{ZH: "通知地址 {id} ", EN: "webhook {id}"}},
	{"risk_rule:", mianmi.Text{ZH: "风险规则 {id} ", EN: "the risk rule {id}"}},
	{"am", mianmi.Text{ZH: "风险告警 {id} ", EN: "alarm {id}"}},
	{"cs", mianmi.Text{ZH: "工单 {id} ", EN: "case {id}"}},
	{"cp", mianmi.Text{ZH: "投诉 {id} ", EN: "complaint {id}"}},
	{"off:", mianmi.Text{ZH: "免密关闭（变更 {id}）", EN: "the OFF of change {id}"}},
	{"program:", mianmi.Text{ZH: "终端程序 {id} ", EN: "the terminal program {id}"}},
	{"rule_pack:", mianmi.Text{ZH: "规则包 {id} ", EN: "rule pack {id}"}},
	{"log:", mianmi.Text{ZH: "日志 {id} ", EN: "log {id}"}},
}

// wide are subjects that are no identifiers.
var wide = map[string]mianmi.Text{
	"everything": {ZH: "全部终端", EN: "everything"},
	"":           {ZH: "系统", EN: "the system"},
}

// Actor names an actor as mianmi.Actor.String wrote it, or the role alone.
func Actor(actor string) mianmi.Text {
	role, id, _ := strings.Cut(actor, ":")
	t, known := roles[role]
	if !known {
		t = mianmi.Text{ZH: "{id} ", EN: "{id}"}
		id = actor
	}
	if id == "" { // a role alone
		return mianmi.Text{ZH: strings.TrimSpace(strings.ReplaceAll(t.ZH, "{id}", "")), EN: strings.TrimSpace(strings.ReplaceAll(t.EN, "{id}", ""))}
	}
	return fill(t, "{id}", mianmi.Text{ZH: id, EN: id})
}

// Subject names what an entry is about.
func Subject(subject string) mianmi.Text {
	if t, ok := wide[subject]; ok {
		return t
	}
	for _, s := range subjects {
		if strings.HasPrefix(subject, s.prefix) {
			id := subject
			if strings.HasSuffix(s.prefix, ":") {
				id = strings.TrimPrefix(subject, s.prefix)
			}
			return fill(s.words, "{id}", mianmi.Text{ZH: id, EN: id})
		}
	}
	return mianmi.Text{ZH: "“" + subject + "”", EN: "“" + subject + "”"}
}

// Sentence says what happened; known is false when this program does not know
// the type.
func Sentence(kind, subject, actor string) (t mianmi.Text, known bool) {
	t, known = sentences[kind]
	if !known {
		t = unknownSentence
	}
	return tidy(fill(fill(t, "{who}", Actor(actor)), "{what}", Subject(subject))), known
}

func fill(t mianmi.Text, mark string, with mianmi.Text) mianmi.Text {
	return mianmi.Text{ZH: strings.ReplaceAll(t.ZH, mark, with.ZH), EN: strings.ReplaceAll(t.EN, mark, with.EN)}
}

// tidy makes a sentence of what was filled in.
func tidy(t mianmi.Text) mianmi.Text {
	t.ZH = strings.TrimSpace(strings.ReplaceAll(t.ZH, "  ", " "))
	for _, mark := range []string{"，", "：", "）", "。"} {
		t.ZH = strings.ReplaceAll(t.ZH, " "+mark, mark)
	}
	if t.EN != "" {
		t.EN = strings.ToUpper(t.EN[:1]) + t.EN[1:] + "."
	}
	t.ZH += "。"
	return t
}
