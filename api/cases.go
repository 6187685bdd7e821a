package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/files"
)

func (s *Server) registerCases() {
	parties := only(readers...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin)
	takePart := only(ownPeople...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin)
	at := func(method, path, name, summary, about string, may rule) route {
		return route{method: method, path: "/v1/cases" + path, name: name, tag: "cases", may: may, summary: summary, about: about, bodyMax: 32 << 10}
	}
	once := at("POST", "", "openCase", "Open a case",
		"A report, a question, an opinion. Who reports a payment that has an open case is led to that case (known: true); one that ended within thirty days is reopened. A merchant names payments of its own.", takePart)
	once.repeat, once.status = firstAnswer, 201
	add(s, once, s.openCase)
	add(s, at("GET", "", "cases", "List cases", "Newest first, without what hangs on them. A payer sees the own ones, a merchant those that it was asked about.", parties), s.cases)
	add(s, at("GET", "/{case}", "case", "Show a case", "With the notes that the caller may read; links and identity checks for mianmi's own people. A case's number (eight letters and digits) does as well.", parties), s.supportCase)
	add(s, at("POST", "/{case}/moves", "moveCase", "Bring a case to another state",
		"in_progress, waiting_payer, waiting_merchant, waiting_bank, closed. While the payer is waited for the clocks stand still. A payer may close the own case, and reopen it for thirty days. Closing completes the complaints that the case is of.", takePart), s.moveCase)
	add(s, at("PUT", "/{case}/assignment", "assignCase", "Give a case to a queue and to somebody", "Support agents, risk analysts and operators.", only(ownPeople...)), s.assignCase)
	add(s, at("POST", "/{case}/notes", "noteCase", "Write a note",
		"For mianmi's own people, the payer, or the merchant. The first one for the payer is the first answer; while a complaint of the case is open it is said at the channel, in 200 characters at most. An answer of whom the case waits for sets it going again. key makes a repeat harmless.", takePart), s.noteCase)
	attach := at("POST", "/{case}/files", "attachFile", "Attach a file",
		"The file itself as the body: JPEG, PNG, PDF or plain text, by its content, 10 MiB at most. Pictures are made anew, without the place and device of a photograph. The same again changes nothing.", takePart)
	attach.bodyMax, attach.status, attach.raw = files.SizeMax, 201, true
	add(s, attach, s.attachFile)
	s.plain(at("GET", "/{case}/files/{file}", "caseFile", "A file of a case", "To be saved: its kind is what was found in it.", parties), describeFile, s.caseFile)
	add(s, at("POST", "/{case}/links", "linkCase", "Link something that a case is about", "A repeat is harmless.", only(ownPeople...)), s.linkCase)
	add(s, at("POST", "/{case}/checks", "checkIdentity", "Record an identity check", "What was asked, never an answer. A passed one lets its maker act for the payer for thirty minutes.", only(ownPeople...)), s.checkIdentity)
	once = at("POST", "/{case}/acts", "actForPayer", "Act for the payer of a case",
		"close_pin_free, report_loss, close_agreement and hold protect and need no check; lift_hold, allow_once, lift_loss, unlock_password and reset_password need one.", only(ownPeople...))
	once.repeat = firstAnswer
	add(s, once, s.actForPayer)
	add(s, at("GET", "/{case}/liability", "liability", "Who is to bear what of a case", "What happened, oldest first, and a proposal for each payment with its reason; a person decides.", only(ownPeople...)), s.liability)
	s.plain(at("POST", "/{case}/pack", "packCase", "The proof pack of a case",
		"One ZIP for those who have no login here: a summary in Chinese and English, the facts, what payer and merchant wrote and attached, and a receipt of every entry that the facts rest on; mianmi pack verify checks it offline. "+
			"The same case gives the same bytes. Mianmi-Entry names the entry that records the handing out. receipt_not_ready means: in a second.", only(ownPeople...)), describePack, s.packCase)
	add(s, at("POST", "/{case}/decision", "decideCase", "Decide a case", "With the reason that the payer reads.", only(ownPeople...)), s.decideCase)
}

// Case is a case of the support desk.
type Case struct {
	ID       string `json:"id"`
	Number   string `json:"number" doc:"To be read out on the phone"`
	Kind     string `json:"kind" enum:"feedback,help,loss,fraud,dispute,complaint,"`
	Category string `json:"category,omitzero"`
	Rail     string `json:"rail,omitzero" doc:"Of the payment that it is about"`
	State    string `json:"state" enum:"opened,in_progress,waiting_payer,waiting_merchant,waiting_bank,decided,closed,"`
	Queue    string `json:"queue,omitzero" enum:"support,risk," doc:"For mianmi's own people"`
	Assignee string `json:"assignee,omitzero" doc:"For mianmi's own people"`
	Payer    string `json:"payer,omitzero"`
	Merchant string `json:"merchant,omitzero"`
	Shared   bool   `json:"shared" doc:"The merchant was asked, and sees it"`
	OpenedBy string `json:"opened_by,omitzero"`

	OpenedAt   time.Time  `json:"opened_at"`
	ChangedAt  time.Time  `json:"changed_at"`
	FirstBy    time.Time  `json:"first_answer_by"`
	DecideBy   time.Time  `json:"decide_by"`
	WaitingFor *time.Time `json:"waiting_since,omitzero" doc:"Since when the payer is waited for: the clocks stand still"`
	Late       bool       `json:"late" doc:"A deadline has passed"`
	AnsweredAt *time.Time `json:"answered_at,omitzero"`
	DecidedAt  *time.Time `json:"decided_at,omitzero"`
	ClosedAt   *time.Time `json:"closed_at,omitzero"`
	Reopened   int64      `json:"reopened"`
	Repeats    int64      `json:"repeats" doc:"How often it was reported again"`
	Verdict    string     `json:"verdict,omitzero" enum:"upheld,partly_upheld,rejected,answered,withdrawn,"`
	Award      *Amount    `json:"award,omitzero" doc:"What the decision gives the payer"`
	Version    int64      `json:"version"`

	Known  bool        `json:"known,omitzero" doc:"Of opening: there was this one about it"`
	Notes  []CaseNote  `json:"notes,omitzero" doc:"Oldest first; not in lists"`
	Links  []CaseLink  `json:"links,omitzero"`
	Checks []CaseCheck `json:"checks,omitzero"`
	Files  []CaseFile  `json:"files,omitzero"`

	Complaints []CaseComplaint `json:"complaints,omitzero" doc:"That the case is of; for mianmi's own people"`
}

// CaseComplaint is a complaint that a case is of.
type CaseComplaint struct {
	ID      string `json:"id"`
	Channel string `json:"channel"`
	Number  string `json:"number" doc:"The channel's"`
	State   string `json:"state" enum:"pending,processing,processed,"`
	Problem string `json:"problem" enum:"refund,service_not_work,other,"`
	Waiting bool   `json:"waiting" doc:"The payer wrote, and nobody has answered"`
	Ordered int64  `json:"answers_on_the_way"`
	Failed  int64  `json:"answers_failed" doc:"That did not get through, whoever gave them"`
}

// CaseNote is something that somebody wrote.
type CaseNote struct {
	N        int64     `json:"n"`
	Audience string    `json:"audience" enum:"inside,payer,merchant"`
	By       string    `json:"by"`
	Text     string    `json:"text"`
	At       time.Time `json:"at"`
}

// CaseLink names something that a case is about.
type CaseLink struct {
	Kind string `json:"kind" enum:"payment,terminal,agreement,complaint,entry,case,refund,alarm"`
	Ref  string `json:"ref"`
}

// CaseCheck is an identity check.
type CaseCheck struct {
	N      int64     `json:"n"`
	Method string    `json:"method"`
	Asked  []string  `json:"asked"`
	Passed bool      `json:"passed"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

func (s *Server) showCase(c *desk.Case) Case {
	v := Case{ID: string(c.ID), Number: c.Number, Kind: c.Kind.String(), Category: c.Category, Rail: c.Rail, State: c.State.String(), Queue: c.Queue.String(),
		Assignee: string(c.Assignee), Payer: string(c.Payer), Merchant: string(c.Merchant), Shared: c.Shared, OpenedBy: c.OpenedBy,
		OpenedAt: c.OpenedAt.UTC(), ChangedAt: c.ChangedAt.UTC(), FirstBy: c.FirstBy.UTC(), DecideBy: c.DecideBy.UTC(), WaitingFor: timeOrNone(c.WaitedAt),
		Late: c.Late(s.Clock.Now()), AnsweredAt: timeOrNone(c.AnsweredAt), DecidedAt: timeOrNone(c.DecidedAt), ClosedAt: timeOrNone(c.ClosedAt),
		Reopened: c.Reopened, Repeats: c.Repeats, Verdict: c.Verdict.String(), Version: c.Version}
	if c.Award.Minor() != 0 {
		a := amountOf(c.Award)
		v.Award = &a
	}
	return v
}

func (s *Server) showWhole(w *desk.Whole) *struct{ Body Case } {
	v := s.showCase(&w.Case)
	for _, n := range w.Notes {
		v.Notes = append(v.Notes, CaseNote{n.N, n.Audience.String(), n.Actor, n.Text, n.At.UTC()})
	}
	for _, l := range w.Links {
		v.Links = append(v.Links, CaseLink{l.Kind.String(), l.Ref})
	}
	for _, k := range w.Checks {
		v.Checks = append(v.Checks, CaseCheck{k.N, k.Method, k.Asked, k.Passed, k.Actor, k.At.UTC()})
	}
	for _, f := range w.Files {
		v.Files = append(v.Files, CaseFile{f.ID, f.Name, string(f.Type), f.Size, f.Audience.String(), f.Actor, f.At.UTC()})
	}
	for _, o := range w.Complaints {
		v.Complaints = append(v.Complaints, CaseComplaint{string(o.ID), o.Channel, o.Number, o.State.String(), o.Problem.String(), o.Flags.Has(support.Waiting), o.Ordered, o.Failed})
	}
	return &struct{ Body Case }{v}
}

func (s *Server) openCase(ctx context.Context, a mianmi.Actor, in *struct {
	Body struct {
		Kind     string     `json:"kind" enum:"feedback,help,loss,fraud,dispute"`
		Category string     `json:"category,omitzero" doc:"A word: small_amount_pin_free"`
		Payer    string     `json:"payer,omitzero" doc:"py…; a payer need not say it"`
		Text     string     `json:"text" doc:"1 to 2,000 characters"`
		Links    []CaseLink `json:"links,omitzero" maxItems:"200"`
	}
}) (*struct{ Body Case }, error) {
	b := &in.Body
	n := desk.NewCase{Kind: desk.ParseKind(b.Kind), Category: b.Category, Payer: mianmi.PayerID(b.Payer), Text: b.Text}
	for _, l := range b.Links {
		n.Links = append(n.Links, desk.NewLink{Kind: desk.ParseLinkKind(l.Kind), Ref: l.Ref})
	}
	o, err := s.Cases.Open(ctx, a, n)
	if err != nil {
		return nil, err
	}
	out := s.showWhole(&o.Whole)
	out.Body.Known = o.Known
	return out, nil
}

func (s *Server) cases(ctx context.Context, a mianmi.Actor, in *struct {
	Kind     string    `query:"kind" enum:"feedback,help,loss,fraud,dispute,complaint"`
	State    string    `query:"state" enum:"opened,in_progress,waiting_payer,waiting_merchant,waiting_bank,decided,closed"`
	Queue    string    `query:"queue" enum:"support,risk"`
	Assignee string    `query:"assignee" doc:"sf…; none: assigned to nobody"`
	Payer    string    `query:"payer" doc:"py…"`
	Merchant string    `query:"merchant" doc:"mc…; cases that it was asked about"`
	LinkKind string    `query:"link_kind" enum:"payment,terminal,agreement,complaint,entry,case,refund,alarm"`
	LinkRef  string    `query:"link_ref" doc:"What a case is about, with link_kind"`
	Open     bool      `query:"open" doc:"Those alone that are not over"`
	Since    time.Time `query:"since" doc:"Opened at or after"`
	Until    time.Time `query:"until" doc:"Opened before"`
	Before   string    `query:"before" doc:"next of the page before"`
	Limit    int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Case] }, error) {
	q := desk.Query{Kind: desk.ParseKind(in.Kind), State: desk.ParseState(in.State), Queue: desk.ParseQueue(in.Queue), Payer: mianmi.PayerID(in.Payer),
		Merchant: mianmi.MerchantID(in.Merchant), Link: desk.NewLink{Kind: desk.ParseLinkKind(in.LinkKind), Ref: in.LinkRef}, Open: in.Open,
		Since: in.Since, Until: in.Until, Before: mianmi.CaseID(in.Before), Limit: in.Limit}
	if q.Nobody = in.Assignee == "none"; !q.Nobody {
		q.Assignee = mianmi.StaffID(in.Assignee)
	}
	list, err := s.Cases.Cases(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, s.showCase, func(c *desk.Case) string { return string(c.ID) }), nil
}

// CaseInput names a case.
type CaseInput struct {
	Case string `path:"case" doc:"cs…"`
}

func (in *CaseInput) id() mianmi.CaseID { return mianmi.CaseID(in.Case) }

func (s *Server) supportCase(ctx context.Context, a mianmi.Actor, in *CaseInput) (*struct{ Body Case }, error) {
	w, err := s.Cases.Case(ctx, a, in.id())
	if mianmi.KindOf(err) == mianmi.NotFound && len(in.Case) < 12 {
		w, err = s.Cases.CaseByNumber(ctx, a, in.Case)
	}
	if err != nil {
		return nil, err
	}
	return s.showWhole(&w), nil
}

// whole answers with a case that something was done to.
func (s *Server) whole(w desk.Whole, err error) (*struct{ Body Case }, error) {
	if err != nil {
		return nil, err
	}
	return s.showWhole(&w), nil
}

func (s *Server) moveCase(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		To      string `json:"to" enum:"in_progress,waiting_payer,waiting_merchant,waiting_bank,closed"`
		Version int64  `json:"version" doc:"The case's, as you have seen it"`
		Why     string `json:"why,omitzero" doc:"For mianmi's own people"`
	}
}) (*struct{ Body Case }, error) {
	return s.whole(s.Cases.Move(ctx, a, in.id(), desk.Move{To: desk.ParseState(in.Body.To), Version: in.Body.Version, Why: in.Body.Why}))
}

func (s *Server) assignCase(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Queue    string `json:"queue,omitzero" enum:"support,risk" doc:"Left out: as it is"`
		Assignee string `json:"assignee,omitzero" doc:"sf…; left out: nobody"`
		Version  int64  `json:"version"`
	}
}) (*struct{ Body Case }, error) {
	b := &in.Body
	return s.whole(s.Cases.Assign(ctx, a, in.id(), desk.Assignment{Queue: desk.ParseQueue(b.Queue), Assignee: mianmi.StaffID(b.Assignee), Version: b.Version}))
}

func (s *Server) noteCase(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Key      string `json:"key" doc:"1 to 64 letters, digits, _ and -, of the caller's own"`
		Audience string `json:"audience" enum:"inside,payer,merchant"`
		Text     string `json:"text" doc:"1 to 2,000 characters"`
	}
}) (*struct{ Body Case }, error) {
	b := &in.Body
	return s.whole(s.Cases.Write(ctx, a, in.id(), desk.NewNote{Key: b.Key, Audience: desk.ParseAudience(b.Audience), Text: b.Text}))
}

func (s *Server) linkCase(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body CaseLink
}) (*struct{ Body Case }, error) {
	return s.whole(s.Cases.Link(ctx, a, in.id(), desk.NewLink{Kind: desk.ParseLinkKind(in.Body.Kind), Ref: in.Body.Ref}))
}

func (s *Server) checkIdentity(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Method string   `json:"method" enum:"id_document,video_call,call_back,branch,signed_request"`
		Asked  []string `json:"asked" minItems:"1" maxItems:"20" doc:"Names of what was asked: last_payment. Never an answer"`
		Passed bool     `json:"passed"`
	}
}) (*struct{ Body Case }, error) {
	return s.whole(s.Cases.Verify(ctx, a, in.id(), desk.NewCheck{Method: in.Body.Method, Asked: in.Body.Asked, Passed: in.Body.Passed}))
}

// ActDone is what acting for a payer came to.
type ActDone struct {
	Case  Case   `json:"case"`
	Reset *Reset `json:"reset,omitzero" doc:"Of reset_password: shown once, to be told to the payer"`
}

func (s *Server) actForPayer(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Act       string    `json:"act" enum:"close_pin_free,report_loss,close_agreement,hold,lift_hold,allow_once,lift_loss,unlock_password,reset_password"`
		Agreement string    `json:"agreement,omitzero" doc:"ag…, of close_agreement"`
		Until     time.Time `json:"until,omitzero" doc:"Of hold: one minute to 30 days ahead"`
		Max       *Amount   `json:"max,omitzero" doc:"Of allow_once: the most that the one payment may be; the allowance ends after 15 minutes"`
		Merchant  string    `json:"merchant,omitzero" doc:"mc…, of allow_once; left out: any"`
	}
}) (*struct{ Body ActDone }, error) {
	b := &in.Body
	do := desk.Do{Act: desk.Act(b.Act), Agreement: mianmi.AgreementID(b.Agreement), Until: b.Until, Merchant: mianmi.MerchantID(b.Merchant)}
	if b.Max != nil {
		do.Max = b.Max.money()
	}
	d, err := s.Cases.Do(ctx, a, in.id(), do)
	if err != nil {
		return nil, err
	}
	out := ActDone{Case: s.showWhole(&d.Whole).Body}
	if d.Reset != nil {
		out.Reset = &Reset{Code: d.Reset.Code, ExpiresAt: d.Reset.ExpiresAt.UTC()}
	}
	return &struct{ Body ActDone }{out}, nil
}

func (s *Server) decideCase(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Verdict string  `json:"verdict" enum:"upheld,partly_upheld,rejected,answered"`
		Award   *Amount `json:"award,omitzero" doc:"What the payer gets"`
		Text    string  `json:"text" doc:"The reason, for the payer"`
		Version int64   `json:"version"`
	}
}) (*struct{ Body Case }, error) {
	b := &in.Body
	d := desk.Decision{Verdict: desk.ParseVerdict(b.Verdict), Text: b.Text, Version: b.Version}
	if b.Award != nil {
		d.Award = b.Award.money()
	}
	return s.whole(s.Cases.Decide(ctx, a, in.id(), d))
}
