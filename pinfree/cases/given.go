package cases

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// given is the world of a case: the limits that hold, and what is known of
// payer, merchant, terminal and mandate before the first step. A nil figure is
// one that is not there.
type given struct {
	Currency money.Currency
	Channels []string // empty: all
	Zone     string   // IANA name; empty: none given
	From, To string   // dates, both included; empty: open
	At       time.Time

	PerTxMax         *int64
	PerTxBelow       bool // < in place of <=
	Refuses          bool // above a cumulative limit
	PerTxRefuses     bool
	CumAmountMax     *int64 // nil also when the counter's mode leaves amounts out
	CumAmountPrev    bool   // of the payments before this one
	CumCountMax      *int64
	CumCountPrev     bool
	Resets           []string // in the pack language's words
	CountsAll        bool
	Bucket           string // in the pack language's word
	OutOfScopeCounts bool
	State            *state

	Excluded     []string // purposes that the rules leave out
	Art12        []string // channels of unattended fares and fees; empty: no such exemption
	Art12Counts  bool
	Unmonitored  bool // the transaction monitoring that the rules ask for is missing
	Uncommitted  bool // the commitment to full compensation is missing
	RiskBased    bool
	Grade        string
	FactorsMet   *int64
	Agreed       *bool // the limit was agreed with the customer
	CustomerSet  bool  // the cumulative limit is the customer's own
	CustomerMax  *int64
	FirmMax      *int64
	TxTypes      []string // that may go without a PIN; nil: any
	Consent      string   // in the words of pinfree.Consents
	Contactless  bool     // the holder's contactless switch
	SwitchGiven  bool     // a case speaks of that switch
	Merchant     merchant
	Issuer       string
	IssuerKind   string // card kind in the issuer's name ("CMB debit")
	Activated    bool
	CounterFull  bool
	MaxFailed    int64
	CodeOnce     bool
	Scheme       string
	Terminal     terminal
	Mandate      mandate
	QPS          quickPass
	Reader       reader
	Compensation *pinfree.Compensation
}

// state is what the counters hold at the start.
type state struct {
	Number, Minor int64
	Day           string // the day that they belong to; empty: that of the first step
}

type merchant struct{ Closed, NotUpgraded bool }

type terminal struct {
	NoPIN, Unattended bool
	Purpose           string
	Can               pinfree.TerminalCan
}

// mandate is what debits of channel emandate are made under.
type mandate struct {
	Unregistered bool
	NotBegun     bool
	NoticeHours  int64 // that the payer must be told before; 0: no such rule
	Category     string
}

// quickPass holds UnionPay's terminal parameters by their tag, -1 when not given.
type quickPass struct {
	On, TableA, TableB, DeviceCVM int64 // FF8054, FF8055, FF8056, FF8057
	Limit                         *int64
}

func (q *quickPass) given() bool {
	return q.Limit != nil || max(q.On, q.TableA, q.TableB, q.DeviceCVM) >= 0
}

// reader holds the limits of an EMV reader in minor units.
type reader struct {
	CVM, Transaction, Floor *int64
	Above                   bool // limits are passed by more than them (kernel C-2), not by as much (Entry Point)
	DF8123, DF8124, DF8125  *int64
	DF8126                  *int64
}

// floor is the limit above which the reader must go online.
func (r *reader) floor() *int64 {
	if r.Floor != nil {
		return r.Floor
	}
	return r.DF8123
}

func readGiven(o *object) given {
	g := given{
		Currency: o.currency("currency"), Channels: o.words("channels", channelNames), Zone: o.text("timezone"),
		From: firstDay(o, "effective_from"), To: lastDay(o, "effective_to"),
	}
	if _, err := time.LoadLocation(g.Zone); err != nil || g.Zone == "Local" {
		o.fault("timezone", "%q is not a time zone; write an IANA name like Asia/Shanghai", g.Zone)
		g.Zone = ""
	}
	g.readLimits(o)
	g.readCounting(o)
	g.readScope(o)
	g.readPayer(o)
	g.readMerchant(o)
	g.readTerminal(o)
	g.readReader(o)
	g.readCompensation(o)
	o.word("exemption_applied_by", appliers) // either provider may apply an exemption: no effect
	o.word("cvm", cvmWords)                  // names what a step-up is
	o.word("instrument", instruments)        // what resets it stands in reset
	o.done()
	return g
}

func (g *given) readLimits(o *object) {
	g.PerTxMax = o.limit("per_tx_max_minor")
	g.PerTxBelow = o.word("per_tx_op", operators) == "lt"
	over := o.wordOr("over_action", stepUp, actions)
	g.Refuses = over == refuse
	g.PerTxRefuses = o.wordOr("per_tx_over_action", over, actions) == refuse
	g.CustomerMax, g.FirmMax = o.limit("customer_limit_minor"), o.limit("firm_limit_minor")
	g.CustomerSet = o.is("customer_set")
	g.Agreed = o.flag("agreed_with_customer")
	g.RiskBased = o.word("regime", regimes) == "risk_based"
	g.Grade = o.word("grade", grades)
	g.FactorsMet = o.number("factors_met", 0, 10)
	g.Unmonitored = o.isNot("art2_monitoring")
	// Full compensation is what allows fewer than two factors: grade C, and
	// network payments, which have no grade.
	uncommitted := o.isNot("full_compensation_commitment")
	g.Uncommitted = uncommitted && (g.Grade == "" || g.Grade == "C")
}

func (g *given) readCounting(o *object) {
	amount, count := o.limit("cum_amount_max_minor"), o.limit("cum_count_max")
	mode := o.word("counter_mode", counterModes)
	if mode == "" || mode == "both" || mode == "amount" {
		g.CumAmountMax = amount
	}
	if mode == "" || mode == "both" || mode == "count" {
		g.CumCountMax = count
	}
	if mode == "both" || mode == "amount" {
		o.need("cum_amount_max_minor")
	}
	if mode == "both" || mode == "count" {
		o.need("cum_count_max")
	}
	g.CumAmountPrev = o.word("cum_scope", scopes) == "previous"
	g.CumCountPrev = o.word("count_scope", scopes) == "previous"
	g.CountsAll = o.word("counted", countedWords) == "executed_all"
	g.Bucket = packBucket(o.word("bucket_by", bucketWords))
	g.OutOfScopeCounts = o.is("count_out_of_scope")
	for _, r := range o.words("reset", resetWords) {
		g.Resets = append(g.Resets, packReset(r))
	}
	if g.counts() && len(g.Resets) == 0 {
		o.fault("reset", "is missing; a cumulative limit needs one or more of %s", strings.Join(resetWords, ", "))
	}
	if g.counts() && slices.Contains(g.Resets, "calendar_day") && g.Zone == "" {
		o.fault("timezone", "is missing; reset calendar_day needs one, like Asia/Shanghai")
	}
	if s := o.object("state"); s != nil {
		g.State = readState(s)
	}
	g.CounterFull = o.is("counter_full")
}

// counts reports whether the case has a cumulative limit.
func (g *given) counts() bool { return g.CumAmountMax != nil || g.CumCountMax != nil }

func readState(o *object) *state {
	s := &state{}
	// Each counted payment is replayed, so there is a bound.
	if n := o.number("count", 0, stepsMax); n != nil {
		s.Number = *n
	}
	if n := o.number("amount_minor", 0, amountMax); n != nil {
		s.Minor = *n
	}
	s.Day = firstDay(o, "day")
	o.done()
	return s
}

func (g *given) readScope(o *object) {
	g.Excluded = o.list("excluded", isName, "names of a-z, 0-9, _ and -")
	exempt := o.is("exemption_art12")
	names := o.words("art12_channels", []string{"transit_unattended", "parking_unattended"})
	if exempt {
		g.Art12 = names
	}
	if exempt && !o.has("art12_channels") {
		g.Art12 = []string{"transit_unattended", "parking_unattended"}
	}
	g.Art12Counts = o.is("art12_counts_to_art11")
	g.TxTypes = o.words("transaction_types", pinfree.TransactionTypes)
	g.MaxFailed = 0
	if n := o.number("max_failed_auth", 1, 100); n != nil {
		g.MaxFailed = *n
	}
	g.CodeOnce = o.is("auth_code_single_use")
}

// datePattern is a day, a month or a year.
var datePattern = regexp.MustCompile(`^\d{4}(-\d\d(-\d\d)?)?$`)

// firstDay reads a date; of a month or year alone it is the first day.
func firstDay(o *object, key string) string { return readDate(o, key, false) }

// lastDay is firstDay with the last day of a month or year.
func lastDay(o *object, key string) string { return readDate(o, key, true) }

func readDate(o *object, key string, last bool) string {
	raw, ok := o.raw(key)
	if !ok {
		return ""
	}
	s, _ := asText(raw)
	layouts := map[int]string{len("2006"): "2006", len("2006-01"): "2006-01", len(time.DateOnly): time.DateOnly}
	t, err := time.Parse(layouts[len(s)], s)
	if err != nil || !datePattern.MatchString(s) || t.Year() < 1970 {
		o.fault(key, "%s is not a date; write it like 2021-03-03, 2021-03 or 2021", shown(raw))
		return ""
	}
	switch {
	case last && len(s) == len("2006"):
		t = t.AddDate(1, 0, -1)
	case last && len(s) == len("2006-01"):
		t = t.AddDate(0, 1, -1)
	}
	return t.Format(time.DateOnly)
}
