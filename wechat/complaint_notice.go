package wechat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/notice"
)

// ErrComplaintURL says that a merchant's software has said where it is told.
var ErrComplaintURL = mianmi.Conflicts("complaint_url_exists", "there is an address for complaints already: change it")

// errNoComplaintURL says that it has not.
var errNoComplaintURL = mianmi.Missing("address for complaints")

// ComplaintURL is where a merchant's software is told of complaints.
func (s *Service) ComplaintURL(ctx context.Context, c *Caller) (string, error) {
	if err := access.Allow(c.Actor, access.ComplaintShow, access.Target{Merchant: c.Merchant}); err != nil {
		return "", err
	}
	i, err := s.Store.WechatIdentity(ctx, c.Merchant)
	if err != nil {
		return "", err
	}
	return s.complaintURL(&i)
}

func (s *Service) complaintURL(i *Identity) (string, error) {
	if len(i.ComplaintAt) == 0 {
		return "", errNoComplaintURL
	}
	text, err := s.Keys.Open(forComplaints, i.ComplaintAt, string(i.Merchant))
	return string(text), err
}

// SetComplaintURL has a merchant's software told of complaints; with first there
// must be no address yet, else there must be one. The same again changes nothing.
func (s *Service) SetComplaintURL(ctx context.Context, c *Caller, url string, first bool) error {
	have, err := s.ComplaintURL(ctx, c)
	known := err == nil
	switch {
	case !known && mianmi.KindOf(err) != mianmi.NotFound:
		return err
	case known && first:
		return ErrComplaintURL
	case !known && !first:
		return err
	case known && have == url:
		return nil
	}
	if err := s.Guard.CheckURL(url); err != nil {
		return err
	}
	sealed, err := s.Keys.Seal(forComplaints, []byte(url), string(c.Merchant), s.Random)
	if err != nil {
		return err
	}
	return s.changeComplaintURL(ctx, c, func(i *Identity) error {
		if first && len(i.ComplaintAt) > 0 {
			return ErrComplaintURL
		}
		i.ComplaintAt = sealed
		return nil
	})
}

// DropComplaintURL has nobody told. What waits to be told is told to nobody.
func (s *Service) DropComplaintURL(ctx context.Context, c *Caller) error {
	if _, err := s.ComplaintURL(ctx, c); err != nil {
		return err
	}
	return s.changeComplaintURL(ctx, c, func(i *Identity) error {
		i.ComplaintAt = []byte{}
		return nil
	})
}

func (s *Service) changeComplaintURL(ctx context.Context, c *Caller, fn func(*Identity) error) error {
	if err := access.Allow(c.Actor, access.ComplaintAnswer, access.Target{Merchant: c.Merchant}); err != nil {
		return err
	}
	_, err := s.change(ctx, c.Actor, c.Merchant, fn)
	return err
}

// complaintMark leads the reference of a delivery that tells of a complaint.
const complaintMark = "complaint:"

// ComplaintRef is the reference of a delivery that tells of a step of a complaint.
func ComplaintRef(number, what string) string { return complaintMark + number + ":" + what }

func isComplaint(d *notice.Delivery) bool {
	return d.Topic == notice.Test && strings.HasPrefix(d.Ref, complaintMark)
}

// complaintNotice is the resource of a complaint's notification.
type complaintNotice struct {
	ID     string `json:"complaint_id"`
	Action string `json:"action_type"`
}

// actions are WeChat Pay's words for news of steps, where they are others.
var actions = map[string]string{"USER_CREATE_COMPLAINT": "CREATE_COMPLAINT", "MERCHANT_REFUSE_RERUND": "MERCHANT_REJECT_REFUND", "PLATFORM_RESPONSE": "RESPONSE_BY_PLATFORM"}

// complaint tells of a step; whoever wants to know more asks.
func (c *Courier) complaint(i *Identity, ref string) (event, error) {
	number, what, ok := strings.Cut(strings.TrimPrefix(ref, complaintMark), ":")
	if !ok {
		return event{}, fmt.Errorf("news of a complaint at %s cannot be read", i.Merchant)
	}
	n := complaintNotice{number, what}
	if other, is := actions[what]; is {
		n.Action = other
	}
	e := event{kind: "COMPLAINT.STATE_CHANGE", original: "complaint", summary: "投诉状态变化", resource: n}
	if n.Action == "CREATE_COMPLAINT" {
		e.kind, e.summary = "COMPLAINT.CREATE", "产生新投诉"
	}
	url, err := c.Service.complaintURL(i)
	if mianmi.KindOf(err) == mianmi.NotFound {
		return event{}, nil // there is no address any more
	}
	e.url = url
	return e, err
}

// WeChat Pay's schedule for complaints: after five seconds, ten times after a
// minute, then every five minutes, a thousand tries or a week.
const (
	complaintTries = 1000
	complaintLife  = 7 * 24 * time.Hour
)

func complaintWait(d *notice.Delivery, attempts int) (time.Duration, bool) {
	wait := 5 * time.Minute
	switch {
	case attempts <= 1:
		wait = 5 * time.Second
	case attempts <= 11:
		wait = time.Minute
	}
	return wait, attempts < complaintTries && d.Age+wait < complaintLife
}
