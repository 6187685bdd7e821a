package notice

import (
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/support/desk"
)

// Topic is what a fact is about. The numbers are stored and are bits of a set:
// never renumber, none above 62. Those of payments are payment.Topic.
type Topic uint8

// Topics that are no payment's.
const (
	PayerClosed      Topic = 16 + iota // PIN-free switched off
	PayerReopened                      // asked for: in force after its cooling-off
	PayerInForce                       // what waited for its cooling-off is in force
	PayerLimits                        // own limits or quiet hours changed
	AllowanceGranted                   // leave for one PIN-free payment
	AllowanceRevoked
	LossReported
	LossLifted
	AgreementOpened
	AgreementClosed
	PolicyTightened // of everything, a channel, merchant, store, model or terminal
	PolicyLoosened
	FactsTightened // what the acquirer says of a merchant
	FactsLoosened
	StopPlaced
	StopLifted
	ApprovalWaiting  // a loosening waits for a second person
	ApprovalRejected // or was taken back
	ApprovalLapsed   // what it was based on has changed
	RulesInForce     // a rule pack
	RulesWithdrawn
	Test // sent on request, to one webhook
	RolloutPaused
	RolloutStopped  // the former terms are back at every terminal
	RolloutFinished // the new terms hold at every terminal
	ProgramPaused   // a version of the terminals' program comes to nobody for now
	ProgramStopped  // and to nobody any more
	ProgramFinished // every terminal of the model may have it

	ContractSigned // at a channel, by the payer
	ContractEnded
	ContractUnannounced // ended at its channel, which told nobody: its agreement is closed now

	CaseOpened // of the support desk
	CaseChanged
	CaseDecided
	CaseEscalated // a deadline comes near, or has passed

	AlarmOpened // something looks wrong
	AlarmEscalated
	AlarmResolved

	HoldPlaced // on a payer: every payment asks for authentication until its end
	HoldLifted // before its end

	AlarmReported // somebody says that something is wrong, for the first time or again
)

// topicInfo says how a topic is called and who may be told.
type topicInfo struct {
	name     string
	platform bool // for mianmi's own webhooks alone: it concerns no merchant, or all
}

var topics = map[Topic]topicInfo{
	Topic(payment.TopicApproved): {name: "payment.approved"},
	Topic(payment.TopicStepUp):   {name: "payment.step_up_required"},
	Topic(payment.TopicRefused):  {name: "payment.refused"},
	Topic(payment.TopicDeclined): {name: "payment.declined"},
	Topic(payment.TopicExpired):  {name: "payment.expired"},
	Topic(payment.TopicReversed): {name: "payment.reversed"},
	Topic(payment.TopicRefunded): {name: "payment.refunded"},
	Topic(payment.TopicToppedUp): {name: "wallet.topped_up", platform: true},

	Topic(payment.TopicVerifying):     {name: "payment.verifying"},
	Topic(payment.TopicUnknown):       {name: "payment.unknown"},
	Topic(payment.TopicUndoing):       {name: "payment.undoing"},
	Topic(payment.TopicLate):          {name: "payment.late"},
	Topic(payment.TopicRefundPending): {name: "payment.refund_pending"},
	Topic(payment.TopicRefundFailed):  {name: "payment.refund_failed"},
	Topic(payment.TopicKept):          {name: "payment.not_given_back"},

	PayerClosed:      {name: "payer.pin_free.closed", platform: true},
	PayerReopened:    {name: "payer.pin_free.reopened", platform: true},
	PayerInForce:     {name: "payer.settings.in_force", platform: true},
	PayerLimits:      {name: "payer.limits.changed", platform: true},
	AllowanceGranted: {name: "payer.allowance.granted", platform: true},
	AllowanceRevoked: {name: "payer.allowance.revoked", platform: true},
	LossReported:     {name: "payer.loss.reported", platform: true},
	LossLifted:       {name: "payer.loss.lifted", platform: true},
	AgreementOpened:  {name: "agreement.opened"},
	AgreementClosed:  {name: "agreement.closed"},
	PolicyTightened:  {name: "policy.tightened"},
	PolicyLoosened:   {name: "policy.loosened"},
	FactsTightened:   {name: "merchant.facts.tightened"},
	FactsLoosened:    {name: "merchant.facts.loosened"},
	StopPlaced:       {name: "stop.placed"},
	StopLifted:       {name: "stop.lifted"},
	ApprovalWaiting:  {name: "approval.waiting"},
	ApprovalRejected: {name: "approval.rejected"},
	ApprovalLapsed:   {name: "approval.lapsed"},
	RulesInForce:     {name: "rules.in_force", platform: true},
	RulesWithdrawn:   {name: "rules.withdrawn", platform: true},
	Test:             {name: "webhook.test"},
	RolloutPaused:    {name: "rollout.paused"},
	RolloutStopped:   {name: "rollout.stopped"},
	RolloutFinished:  {name: "rollout.finished"},
	ProgramPaused:    {name: "program.paused", platform: true},
	ProgramStopped:   {name: "program.stopped", platform: true},
	ProgramFinished:  {name: "program.finished", platform: true},

	ContractSigned:      {name: "contract.signed"},
	ContractEnded:       {name: "contract.ended"},
	ContractUnannounced: {name: "contract.ended_unannounced"},

	CaseOpened:    {name: "case.opened", platform: true},
	CaseChanged:   {name: "case.changed", platform: true},
	CaseDecided:   {name: "case.decided", platform: true},
	CaseEscalated: {name: "case.escalated", platform: true},

	AlarmOpened:    {name: "alarm.opened"},
	AlarmEscalated: {name: "alarm.escalated"},
	AlarmResolved:  {name: "alarm.resolved"},
	AlarmReported:  {name: "alarm.reported"},

	HoldPlaced: {name: "payer.hold.placed", platform: true},
	HoldLifted: {name: "payer.hold.lifted", platform: true},
}

// entryTopics says what entries of the evidence tell. An entry that is not
// here is no fact for webhooks: names, passwords, staff, keys.
var entryTopics = map[string]Topic{
	"payer.pin_free.closed":   PayerClosed,
	"payer.pin_free.reopened": PayerReopened,
	"payer.settings.in_force": PayerInForce,
	"payer.limits.changed":    PayerLimits,
	"payer.allowance.granted": AllowanceGranted,
	"payer.allowance.revoked": AllowanceRevoked,
	"payer.loss.reported":     LossReported,
	"payer.loss.lifted":       LossLifted,
	"payer.hold.placed":       HoldPlaced,
	"payer.hold.lifted":       HoldLifted,
	"payer.agreement.opened":  AgreementOpened,
	"payer.agreement.closed":  AgreementClosed,

	"merchant.policy.tightened":          PolicyTightened,
	"merchant.policy.loosened":           PolicyLoosened,
	"merchant.policy.loosening_proposed": ApprovalWaiting,
	"merchant.facts.tightened":           FactsTightened,
	"merchant.facts.loosened":            FactsLoosened,
	"merchant.facts.loosening_proposed":  ApprovalWaiting,
	"terminals.loosening_proposed":       ApprovalWaiting,
	"merchant.stop.placed":               StopPlaced,
	"merchant.stop.lifted":               StopLifted,
	"merchant.stop.lift_proposed":        ApprovalWaiting,
	"merchant.approval.rejected":         ApprovalRejected,
	"merchant.approval.withdrawn":        ApprovalRejected,
	"merchant.approval.lapsed":           ApprovalLapsed,
	"rollout.paused":                     RolloutPaused,
	"rollout.stopped":                    RolloutStopped,
	"rollout.finished":                   RolloutFinished,
	"program.paused":                     ProgramPaused,
	"program.stopped":                    ProgramStopped,
	"program.finished":                   ProgramFinished,

	contract.TypeSigned:      ContractSigned,
	contract.TypeEnded:       ContractEnded,
	contract.TypeUnannounced: ContractUnannounced,

	desk.TypeOpened:    CaseOpened,
	desk.TypeRepeated:  CaseChanged,
	desk.TypeMoved:     CaseChanged,
	desk.TypeAssigned:  CaseChanged,
	desk.TypeNoted:     CaseChanged,
	desk.TypeAttached:  CaseChanged,
	desk.TypePacked:    CaseChanged,
	desk.TypeLinked:    CaseChanged,
	desk.TypeChecked:   CaseChanged,
	desk.TypeActed:     CaseChanged,
	desk.TypeDecided:   CaseDecided,
	desk.TypeEscalated: CaseEscalated,

	desk.TypeComplained: CaseChanged,

	desk.TypePayoutOrdered:  CaseChanged,
	desk.TypePayoutApproved: CaseChanged,
	desk.TypePayoutPaid:     CaseChanged,
	desk.TypePayoutRefused:  CaseChanged,

	risk.TypeOpened:    AlarmOpened,
	risk.TypeEscalated: AlarmEscalated,
	risk.TypeResolved:  AlarmResolved,
	risk.TypeReported:  AlarmReported,

	"rule.pack.in_force":   RulesInForce,
	"rule.pack.withdrawn":  RulesWithdrawn,
	"rule.pack.proposed":   ApprovalWaiting,
	"rule.pack.rejected":   ApprovalRejected,
	"rule.pack.taken_back": ApprovalRejected,
	"rule.pack.lapsed":     ApprovalLapsed,
}

// TopicOfEntry returns the topic of an entry by its type; false: nobody is told.
func TopicOfEntry(kind string) (Topic, bool) {
	t, ok := entryTopics[kind]
	return t, ok
}

// String is the topic's name in messages and in the API.
func (t Topic) String() string { return topics[t].name }

// Topics is a set of topics. The zero set is empty.
type Topics uint64

// AllTopics holds every topic, those of later versions too.
const AllTopics = Topics(1<<63 - 1)

// Has reports whether the topic is in the set.
func (s Topics) Has(t Topic) bool { return s>>t&1 == 1 }

// ParseTopics reads names of topics ("payment.approved"), of groups
// ("payment.*"), or "*". A merchant's webhook takes no topic that only
// mianmi's own people may see. Its error names the field "topics".
func ParseTopics(names []string, platform bool) (Topics, error) {
	if len(names) > len(topics) {
		return 0, mianmi.InvalidField("topics", "more topics than there are")
	}
	var set Topics
	for _, name := range names {
		found := false
		for t, info := range topics {
			if name == "*" || t != Test && named(name, info.name) {
				found = true
				if platform || !info.platform {
					set |= 1 << t
				}
			}
		}
		if name == "*" && platform {
			set = AllTopics
		}
		if !found {
			return 0, mianmi.InvalidField("topics", "there is no such topic: see docs/webhooks.md")
		}
	}
	if set&^(1<<Test) == 0 {
		return 0, mianmi.InvalidField("topics", "want at least one topic that this webhook may have")
	}
	return set, nil
}

func named(pattern, name string) bool {
	group, many := strings.CutSuffix(pattern, "*")
	return pattern == name || many && strings.HasSuffix(group, ".") && strings.HasPrefix(name, group)
}

// Names lists the set's topics by name; "*" for all.
func (s Topics) Names() []string {
	if s == AllTopics {
		return []string{"*"}
	}
	var out []string
	for t, info := range topics {
		if t != Test && s.Has(t) {
			out = append(out, info.name)
		}
	}
	slices.Sort(out)
	return out
}

// TopicNames lists every topic that a webhook may ask for, by name.
func TopicNames() []string { return (AllTopics - 1).Names() }
