package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/api/client"
)

// rightsOf says who may call each operation, for a thing that is theirs. It is
// written down here once more on purpose: a route that nobody put here, or
// whose rule has changed, is a failure.
const rightsOf = `
authorize                 @shop terminal +pay
authorizeBatch            @shop +pay
cancelPayment             @shop payer terminal support_agent operator +pay +refund
confirmPIN                terminal +pay
confirmPayment            payer
findPayments              @staff +read
dryRun                    @readers payer +payers
hostKey                   terminal +pay
payment                   @staff payer terminal +pay +read +refund
paymentByOrder            @staff payer terminal +pay +read +refund
refundPayment             store_manager merchant_admin support_agent operator +refund
refunds                   @staff payer terminal +pay +read +refund
reversePayment            terminal store_manager merchant_admin support_agent operator +refund

confirmQROrder            payer
openQROrder               @shop terminal +pay
qrOrder                   payer

changeStaffPassword       @staff
endPayerSessions          payer support_agent operator
endSessions               @staff payer
loginPayer                anybody
loginStaff                anybody
logout                    @staff payer
me                        @staff payer +any
redeemReset               anybody

addInstrument             operator +payers
agreements                @readers payer +payers
changePassword            payer
closeAgreement            @own payer +payers
closePinFree              @own payer +payers
contracts                 @readers merchant_admin +read
contract                  @readers payer merchant_admin +manage +payers +read +tighten
createPayer               operator +payers
endContract               @own payer merchant_admin +payers +tighten
events                    payer
findPayer                 @own +payers
grantAllowance            payer
holdPayer                 @own payer +payers
instruments               @readers payer +payers
issueCode                 payer +payers
liftHold                  support_agent risk_analyst operator payer
liftLoss                  support_agent operator
noticeEvents              payer
notices                   @readers payer
openAgreement             payer
openContract              payer
payer                     @readers payer +payers
payerEntries              @readers payer +payers
payerPayments             @readers payer
reopenPinFree             payer
reportLoss                @own payer +payers
resetPassword             support_agent operator
revokeAllowance           @own payer +payers
seeNotices                payer
setLimits                 payer
setPassword               payer +payers
stepUps                   payer
texts                     anybody
helpArticles              anybody
helpArticle               anybody
topUp                     operator +payers
unlockPassword            support_agent operator

changeStore               store_manager merchant_admin operator +manage
createMerchant            operator
createStore               merchant_admin operator +manage
merchant                  @staff +manage +read +tighten
merchants                 @readers
renameMerchant            merchant_admin operator
setMerchantFacts          operator
store                     @staff +manage +read +tighten
stores                    @staff +manage +read +tighten

createModel               operator
createTerminal            store_manager merchant_admin operator +manage
terminalPolicy            @readers
setTerminalPolicy         @own
issueEnrolmentCode        store_manager merchant_admin operator +manage
revokeTerminal            @own store_manager merchant_admin +manage +tighten
terminalStatus            @staff +manage +pay +read +tighten
terminalSettings          @staff +manage +pay +read +tighten
terminalInForce           @staff +manage +pay +read +tighten
terminalChecks            @staff +manage +pay +read +tighten
refusedReports            @staff +manage +pay +read +tighten
terminalAlarms            @staff +manage +pay +read +tighten
switchOff                 @staff +manage +pay +read +tighten
switchOffs                @staff +manage +pay +read +tighten
outstanding               @staff +manage +pay +read +tighten
merchantTerminals         @staff +manage +pay +read +tighten
model                     @staff +any
models                    @staff +any
moveTerminal              store_manager merchant_admin operator +manage
readerParameters          @staff +manage +pay +read +tighten
renameModel               operator
renameTerminal            store_manager merchant_admin operator +manage
storeTerminals            @staff +manage +pay +read +tighten
terminal                  @staff +manage +pay +read +tighten

approval                  @staff +manage +read +tighten
approvals                 @readers merchant_admin +manage +read +tighten
approve                   merchant_admin risk_analyst operator
closePinFreeOfChannel     @own
closePinFreeOfEverything  @own
closePinFreeOfMerchant    @own merchant_admin +tighten
closePinFreeOfModel       @own
closePinFreeOfStore       @own store_manager merchant_admin +tighten
closePinFreeOfTerminal    @own @shop +tighten
liftStop                  @own store_manager merchant_admin +manage
placeStop                 @own @shop +tighten
policyOfChannel           @readers
policyOfEverything        @readers
policyOfMerchant          @readers merchant_admin +manage +read +tighten
policyOfModel             @readers
policyOfStore             @staff +manage +read +tighten
policyOfTerminal          @staff +manage +read +tighten
reject                    merchant_admin risk_analyst operator
rollout                   @staff +manage +read +tighten
rollouts                  @staff +manage +read +tighten
rolloutOutstanding        @staff +manage +read +tighten
pauseRollout              @own store_manager merchant_admin +tighten
resumeRollout             @own store_manager merchant_admin +manage
advanceRollout            @own store_manager merchant_admin +manage
stopRollout               @own store_manager merchant_admin +tighten
setPolicyOfChannel        @own
setPolicyOfEverything     @own
setPolicyOfMerchant       @own merchant_admin +manage +tighten
setPolicyOfModel          @own
setPolicyOfStore          @own store_manager merchant_admin +manage +tighten
setPolicyOfTerminal       @own @shop +manage +tighten
stops                     @staff +manage +read +tighten
withdraw                  @own store_manager merchant_admin +manage

apiKeys                   merchant_admin operator auditor
createAPIKey              merchant_admin operator
createStaff               store_manager merchant_admin operator
deactivateStaff           store_manager merchant_admin operator
resetStaff                store_manager merchant_admin operator
revokeAPIKey              merchant_admin operator
staff                     store_manager merchant_admin operator auditor

receipt                   @staff payer +manage +payers +read +tighten
receiptPDF                @staff payer +manage +payers +read +tighten
receiptLink               @staff payer +manage +payers +read +tighten
merchantAsOf              @staff +manage +read +tighten
payerAsOf                 @readers payer +payers
paymentAsOf               @staff payer +pay +read +refund
terminalAsOf              @staff +manage +pay +read +tighten
logCheckpoint             anybody
logCosigned               anybody
logConsistency            anybody
logKeys                   anybody

answerComplaint           merchant_admin support_agent operator +refund
actForPayer               @own
addRiskRule               risk_analyst operator
keepRiskRule              risk_analyst operator
promoteRiskRule           risk_analyst operator
riskRules                 @readers
withdrawRiskRule          risk_analyst operator
acknowledgeAlarm          @own
alarm                     @readers merchant_admin
alarms                    @readers merchant_admin
approvePayout             @own
assignCase                @own
attachFile                @own payer merchant_admin
case                      @readers payer merchant_admin
caseFile                  @readers payer merchant_admin
cases                     @readers payer merchant_admin
checkIdentity             @own
decideCase                @own
liability                 @own
linkCase                  @own
packCase                  @own
moveCase                  @own payer merchant_admin
noteCase                  @own payer merchant_admin
openCase                  @own payer merchant_admin
orderPayout               @own
payouts                   @readers
refusePayout              @own
guarantee                 @readers
fundGuarantee             operator
complain                  payer support_agent operator +payers
resolveAlarm              @own
complaint                 @readers merchant_admin +read
complaintPicture          @readers merchant_admin +read
complaints                @readers merchant_admin +read
payerComplaint            @readers payer +payers
payerComplaintPicture     @readers payer +payers
payerComplaints           @readers payer +payers
writeToComplaint          payer support_agent operator +payers

addWechatSerial           merchant_admin operator
changeWechatCredentials   merchant_admin operator
createWechatCredentials   merchant_admin operator
newWechatAPIKey           merchant_admin operator
revokeWechatSerial        merchant_admin operator
wechatCredentials         merchant_admin operator auditor

changeWebhook             merchant_admin operator +webhooks
createWebhook             merchant_admin operator +webhooks
pauseWebhook              merchant_admin operator +webhooks
removeWebhook             merchant_admin operator +webhooks
replayWebhook             merchant_admin operator +webhooks
resumeWebhook             merchant_admin operator +webhooks
rotateWebhookSecret       merchant_admin operator +webhooks
testWebhook               merchant_admin operator +webhooks
webhook                   merchant_admin support_agent operator auditor +webhooks
webhookDeliveries         merchant_admin support_agent operator auditor +webhooks
webhookDelivery           merchant_admin support_agent operator auditor +webhooks
webhooks                  merchant_admin support_agent operator auditor +webhooks
approveRules              risk_analyst operator
dryRunRules               @readers
proposeRules              risk_analyst operator
rejectRules               risk_analyst operator
ruleChange                @readers
ruleChanges               @readers
rulePack                  @readers
rules                     @staff payer +any
takeBackRules             risk_analyst operator
`

var roleGroups = strings.NewReplacer(
	"@own", "support_agent risk_analyst operator", "@shop", "cashier store_manager merchant_admin",
	"@readers", "support_agent risk_analyst operator auditor",
	"@staff", "cashier store_manager merchant_admin support_agent risk_analyst operator auditor",
	"+any", "+manage +pay +payers +read +refund +tighten +webhooks")

func rights() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(rightsOf + rightsOfPrograms) {
		if f := strings.Fields(roleGroups.Replace(line)); len(f) > 0 {
			slices.Sort(f[1:])
			out[f[0]] = f[1:]
		}
	}
	return out
}

// Each role may do what the table says, and nothing else: at the first gate and
// at the services behind it, for things that are the caller's own.
func TestRolesAndRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	s, p := w.shop("晨光超市"), w.person("+8613800000001")
	paid := get[client.Payment](t)(s.pos.Authorize(t.Context(), w.scan(s, p, "A1", 18_00)))
	for _, scope := range []client.Scope{client.OfMerchant(s.merchant.ID), client.OfStore(s.store.ID), client.OfTerminal(s.terminal.ID)} {
		get[client.PolicyResult](t)(w.operator.CloseScope(t.Context(), scope))
	}
	d, table := readDocument(t, w.url), rights()
	w.terminals = w.terminalURL(s.terminal.ID)
	callers := w.callers(s, p)
	number := 1000
	for path, item := range d.Paths {
		for method, op := range item {
			want, known := table[op.ID]
			if !known {
				t.Errorf("%s %s (%s): add it to rightsOf", method, path, op.ID)
				continue
			}
			delete(table, op.ID)
			wantDocument(t, op, want)
			if slices.Equal(want, []string{"anybody"}) {
				if status, code := w.try(certificate, strings.ToUpper(method), path, bodies[op.ID]); status != http.StatusForbidden || code != "not_allowed" {
					t.Errorf("%s is open to terminals: %d %s", op.ID, status, code)
				}
				continue
			}
			for name, caller := range callers {
				number++
				fill := strings.NewReplacer("{payer}", string(p.ID), "{payment}", string(paid.ID), "{merchant}", string(s.merchant.ID),
					"{store}", string(s.store.ID), "{terminal}", string(s.terminal.ID), "{model}", string(s.model.ID), "{channel}", "wallet",
					"{order_no}", "A1", "{n}", fmt.Sprint("n", number), "{n4}", fmt.Sprint(number), "{open}", fmt.Sprint(name == "+manage"),
					"{approval}", "ap0", "{stop}", "es0", "{rollout}", "ro0", "{staff}", "sf0", "{key}", "ak0", "{token}", "t0", "{receipt}", string(paid.ID), "{agreement}", "ag0", "{contract}", "cc0", "{webhook}", "wh0", "{complaint}", "cp0", "{case}", "cs0", "{file}", "f0", "{payout}", "po0", "{alarm}", "am0", "{question}", "ms0", "{rule}", "r0", "{picture}", "p", "{number}", "1", "{serial}", "00")
				status, code := w.try(caller(), strings.ToUpper(method), fill.Replace(path+queries[op.ID]), fill.Replace(bodies[op.ID]))
				if may := slices.Contains(want, name); may == (code == "not_allowed") {
					t.Errorf("%s %s (%s) by %s: %d %s; the table says that it may: %v", method, path, op.ID, name, status, code, may)
				}
				if code == "bearer_invalid" || code == "bearer_missing" || status == http.StatusInternalServerError {
					t.Errorf("%s by %s: %d %s", op.ID, name, status, code)
				}
			}
			if status, code := w.try("", strings.ToUpper(method), path, bodies[op.ID]); status != http.StatusUnauthorized || code != "bearer_missing" {
				t.Errorf("%s without a bearer: %d %s", op.ID, status, code)
			}
		}
	}
	for op := range table {
		t.Errorf("%s is in rightsOf, and there is no such route", op)
	}
}

// callers returns, for each role and scope, a way to a token. Sessions are
// fresh each time: some routes end them.
func (w *world) callers(s *shop, p *person) map[string]func() string {
	w.t.Helper()
	ctx, t := w.t.Context(), w.t
	out := map[string]func() string{}
	session := func(a mianmi.Actor) func() string {
		return func() string {
			t.Helper()
			n, err := w.access.StartSession(ctx, a)
			must(t, err)
			return n.Token
		}
	}
	out["payer"] = session(mianmi.Actor{Role: mianmi.RolePayer, ID: string(p.ID)})
	for role := mianmi.RoleCashier; role <= mianmi.RoleAuditor; role++ {
		n := client.NewStaff{Login: role.String() + ".of.test", Name: "员工", Role: role.String()}
		if role <= mianmi.RoleMerchantAdmin {
			n.Merchant = s.merchant.ID
		}
		if role <= mianmi.RoleStoreManager {
			n.Store = s.store.ID
		}
		e := get[client.Enrolment](t)(w.operator.CreateStaff(ctx, n))
		out[role.String()] = session(mianmi.Actor{Role: role, ID: string(e.Staff.ID)})
	}
	out["terminal"] = func() string { return certificate }
	operator := mianmi.Actor{Role: mianmi.RoleOperator, ID: "test"}
	for name, scope := range mianmi.ScopeNames {
		n := access.NewKey{Name: name, Merchant: s.merchant.ID, Scopes: scope}
		if scope == mianmi.ScopePayers {
			n.Merchant = ""
		}
		_, token, err := w.access.CreateKey(ctx, operator, n)
		must(t, err)
		out["+"+name] = func() string { return token }
	}
	return out
}

// try sends a request and returns the status and the problem's code. It does
// not wait for the end of a stream.
func (w *world) try(token, method, path, body string) (int, string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	at := w.url
	if token == certificate {
		at, token = w.terminals, ""
	}
	r, err := http.NewRequestWithContext(ctx, method, at+path, strings.NewReader(body))
	must(w.t, err)
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer func() { must(w.t, res.Body.Close()) }()
	if res.StatusCode < 400 {
		return res.StatusCode, ""
	}
	var p client.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		w.t.Error(errors.Join(errors.New(method+" "+path), err))
	}
	return res.StatusCode, p.Code
}
