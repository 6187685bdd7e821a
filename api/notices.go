package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice/inbox"
)

func (s *Server) registerNotices() {
	own := only(mianmi.RolePayer)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/notices", name: "notices", tag: "payers", may: only(readers...).and(mianmi.RolePayer),
		summary: "What a payer is told",
		about: "Newest first: payments, each as it stands now, and changes of settings, agreements and passwords, whoever made them. Nothing is written for it, " +
			"so nothing can be missing. Mianmi's own people see what the payer sees."}, s.notices)
	add(s, route{method: "POST", path: "/v1/payers/{payer}/notices/seen", name: "seeNotices", tag: "payers", may: own, status: 204,
		summary: "Say up to where I have read", about: "All up to that notice count as read. It never goes back."}, s.seeNotices)
	s.plain(route{method: "GET", path: "/v1/payers/{payer}/notices/events", name: "noticeEvents", tag: "payers", may: own, wait: true,
		summary: "My notices as they happen",
		about: "Server-sent events (text/event-stream). notice carries one that is new or has changed; unread how many are not read, at the start and after each notice. " +
			"The stream ends after ten minutes, or when the session ends; connect again with Last-Event-ID, and what came meanwhile is sent. reset says that more came than " +
			"is sent: read the list. A notice may come twice; its id tells."}, describeNoticeEvents, s.noticeEvents)
}

// Notice is one thing that a payer is told.
type Notice struct {
	ID        string     `json:"id" doc:"Of the payment or of the entry in the record; a notice that changes keeps it"`
	Kind      string     `json:"kind" enum:"pin_free,paid,waiting,refused,returned,setting,agreement,card,password,loss,question"`
	Security  bool       `json:"security" doc:"Something that a thief would rather keep from the payer"`
	Unread    bool       `json:"unread"`
	At        time.Time  `json:"at" doc:"When it happened"`
	ChangedAt time.Time  `json:"changed_at" doc:"When it last became other than it was"`
	Title     Text       `json:"title"`
	Text      Text       `json:"text"`
	Hint      *Text      `json:"hint,omitzero" doc:"What to do if that was somebody else"`
	Payment   string     `json:"payment,omitzero"`
	Agreement string     `json:"agreement,omitzero"`
	Question  string     `json:"question,omitzero" doc:"ms…, that is asked or was answered"`
	Merchant  string     `json:"merchant,omitzero"`
	UndoUntil *time.Time `json:"undo_until,omitzero" doc:"Until then support or the shop can undo the payment"`
}

// Notices are a page of an inbox.
type Notices struct {
	List[Notice]
	Unread int `json:"unread" doc:"Of the whole inbox, at most 100"`
}

func showNotice(n *inbox.Notice) Notice {
	v := Notice{ID: n.ID, Kind: string(n.Kind), Security: n.Security, Unread: n.Unread, At: n.At.UTC(), ChangedAt: n.ChangedAt.UTC(), Title: textOf(n.Title),
		Text: textOf(n.Words), Payment: string(n.Payment), Agreement: string(n.Agreement), Question: string(n.Question), Merchant: string(n.Merchant), UndoUntil: timeOrNone(n.UndoUntil)}
	if n.Hint != (mianmi.Text{}) {
		hint := textOf(n.Hint)
		v.Hint = &hint
	}
	return v
}

func (s *Server) notices(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Before string `query:"before" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}) (*struct{ Body Notices }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	page, err := s.Inbox.Notices(ctx, a, id, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	list := listOf(page.Notices, in.Limit, showNotice, func(n *inbox.Notice) string { return n.ID })
	return &struct{ Body Notices }{Notices{List: list.Body, Unread: page.Unread}}, nil
}

// SeenBody names the newest notice that was read.
type SeenBody struct {
	Upto string `json:"upto" doc:"Identifier of a notice"`
}

func (s *Server) seeNotices(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body SeenBody
}) (*struct{}, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return nil, s.Inbox.See(ctx, a, id, in.Body.Upto)
}
