package client

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
)

// Notice is one thing that a payer is told. A notice that changes keeps its ID.
type Notice struct {
	ID        string             `json:"id"`
	Kind      string             `json:"kind"`
	Security  bool               `json:"security"`
	Unread    bool               `json:"unread"`
	At        time.Time          `json:"at"`
	ChangedAt time.Time          `json:"changed_at"`
	Title     mianmi.Text        `json:"title"`
	Text      mianmi.Text        `json:"text"`
	Hint      *mianmi.Text       `json:"hint"`
	Payment   mianmi.PaymentID   `json:"payment"`
	Agreement mianmi.AgreementID `json:"agreement"`
	Merchant  mianmi.MerchantID  `json:"merchant"`
	UndoUntil *time.Time         `json:"undo_until"`
}

// Notices are a page of an inbox; Unread counts the whole of it, at most 100.
type Notices struct {
	List[Notice]
	Unread int `json:"unread"`
}

// Notices lists what a payer is told, newest first; before is Next of the page
// before, limit 0 the default.
func (c *Client) Notices(ctx context.Context, id mianmi.PayerID, before string, limit int) (Notices, error) {
	q := url.Values{}
	if before != "" {
		q.Set("before", before)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return call[Notices](ctx, c, http.MethodGet, payerPath(id, "/notices?"+q.Encode()), nil)
}

// SeeNotices says that all up to a notice were read.
func (c *Client) SeeNotices(ctx context.Context, id mianmi.PayerID, upto string) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, payerPath(id, "/notices/seen"), map[string]string{"upto": upto})
	return err
}

// NoticeEvent is one event of the stream of notices.
type NoticeEvent struct {
	// ID goes into NoticeEvents when the stream is taken up again; empty: the one
	// before still holds.
	ID     string
	Notice *Notice // new or changed
	Unread *int
	Reset  bool // more came than is sent: read the list
}

// NoticeEvents calls fn with each event of the payer's notices, until the stream
// ends, fn fails or ctx ends. after is the ID of the last event of an earlier
// stream, or empty.
func (c *Client) NoticeEvents(ctx context.Context, id mianmi.PayerID, after string, fn func(NoticeEvent) error) error {
	n := *c
	n.after = after
	res, err := n.send(ctx, http.MethodGet, payerPath(id, "/notices/events"), nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // a stream is not drained
	if res.StatusCode != http.StatusOK {
		return problem(res)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, eventMax)
	var kind string
	var e NoticeEvent
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			kind = value
		case "id":
			e.ID = value
		case "data":
			if err := e.read(kind, value); err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			if err := fn(e); err != nil {
				return err
			}
			kind, e = "", NoticeEvent{}
		}
	}
	return lines.Err()
}

func (e *NoticeEvent) read(kind, data string) error {
	switch kind {
	case "notice":
		e.Notice = &Notice{}
		return json.Unmarshal([]byte(data), e.Notice)
	case "unread":
		var v struct {
			Unread int `json:"unread"`
		}
		err := json.Unmarshal([]byte(data), &v)
		e.Unread = &v.Unread
		return err
	case "reset":
		e.Reset = true
	}
	return nil
}
