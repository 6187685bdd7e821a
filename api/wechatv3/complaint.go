package wechatv3

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/wechat"
)

const (
	complaintsPath = "/v3/merchant-service/complaints-v2"
	picturesPath   = "/v3/merchant-service/images"
	noticesPath    = "/v3/merchant-service/complaint-notifications"
)

// complaintRoutes are those of what payers complain of.
func (s *Server) complaintRoutes() []Route {
	const one = complaintsPath + "/{complaint}"
	return []Route{
		{"GET", complaintsPath, "complaints", s.listComplaints},
		{"GET", one, "complaint", s.showComplaint},
		{"GET", one + "/negotiation-historys", "complaint_history", s.complaintHistory},
		{"POST", one + "/response", "complaint_response", s.respond},
		{"POST", one + "/complete", "complaint_complete", s.complete},
		{"POST", one + "/update-refund-progress", "complaint_refund_progress", s.refundProgress},
		{"POST", picturesPath + "/upload", "complaint_image_upload", s.uploadPicture},
		{"GET", picturesPath + "/{picture}", "complaint_image", s.showPicture},
		{"GET", noticesPath, "complaint_notification", s.complaintURL},
		{"POST", noticesPath, "complaint_notification_create", s.setComplaintURL(true)},
		{"PUT", noticesPath, "complaint_notification_change", s.setComplaintURL(false)},
		{"DELETE", noticesPath, "complaint_notification_delete", s.dropComplaintURL},
	}
}

// Bounds that WeChat Pay has on lists.
const (
	complaintsMax    = 50
	complaintsShown  = 10 // when nothing is said
	complaintDaysMax = 30
	historyMax       = 300
	historyShown     = 100
	offsetMax        = 100_000
)

// number reads a number of a query; nothing is otherwise.
func number(q url.Values, name string, otherwise, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, mianmi.InvalidField(name, "a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

// beijing is the zone of dates.
var beijing = time.FixedZone("", 8*60*60)

func complaintList(q url.Values, mchid string) (l wechat.ComplaintList, err error) {
	if against := q.Get("complainted_mchid"); against != "" && against != mchid {
		return l, &refusal{code: "MCH_NOT_EXISTS"}
	}
	if l.Limit, err = number(q, "limit", complaintsShown, 1, complaintsMax); err != nil {
		return l, err
	}
	if l.Offset, err = number(q, "offset", 0, 0, offsetMax); err != nil {
		return l, err
	}
	if l.From, err = time.ParseInLocation(time.DateOnly, q.Get("begin_date"), beijing); err != nil {
		return l, mianmi.InvalidField("begin_date", "want yyyy-MM-DD")
	}
	last, err := time.ParseInLocation(time.DateOnly, q.Get("end_date"), beijing)
	if err != nil {
		return l, mianmi.InvalidField("end_date", "want yyyy-MM-DD")
	}
	if l.To = last.AddDate(0, 0, 1); !l.From.Before(l.To) || l.To.Sub(l.From) > complaintDaysMax*24*time.Hour {
		return l, mianmi.InvalidField("end_date", "not before begin_date, and 30 days in all at most")
	}
	return l, nil
}

func (s *Server) listComplaints(ctx context.Context, c *call) (any, error) {
	l, err := complaintList(c.r.URL.Query(), c.caller.Identity.MchID)
	if err != nil {
		return nil, err
	}
	list, all, err := s.Service.ListComplaints(ctx, &c.caller, l)
	return struct {
		Data   []wechat.ComplaintView `json:"data"`
		Limit  int                    `json:"limit"`
		Offset int                    `json:"offset"`
		Total  int64                  `json:"total_count"`
	}{list, l.Limit, l.Offset, all}, err
}

func (s *Server) showComplaint(ctx context.Context, c *call) (any, error) {
	v, _, err := s.Service.FindComplaint(ctx, &c.caller, c.r.PathValue("complaint"))
	return v, notFoundAs("RESOURCE_NOT_EXISTS", err)
}

func (s *Server) complaintHistory(ctx context.Context, c *call) (any, error) {
	q := c.r.URL.Query()
	limit, err := number(q, "limit", historyShown, 1, historyMax)
	if err != nil {
		return nil, err
	}
	offset, err := number(q, "offset", 0, 0, offsetMax)
	if err != nil {
		return nil, err
	}
	_, steps, err := s.Service.FindComplaint(ctx, &c.caller, c.r.PathValue("complaint"))
	if err != nil {
		return nil, notFoundAs("RESOURCE_NOT_EXISTS", err)
	}
	all := len(steps)
	steps = steps[min(offset, all):min(offset+limit, all)]
	for i := range steps {
		addresses := make([]string, len(steps[i].Images))
		for n, id := range steps[i].Images {
			addresses[n] = s.address(c, picturesPath+"/"+id)
		}
		steps[i].Images = addresses
	}
	return struct {
		Data   []wechat.ComplaintStep `json:"data"`
		Limit  int                    `json:"limit"`
		Offset int                    `json:"offset"`
		Total  int                    `json:"total_count"`
	}{steps, limit, offset, all}, nil
}

// address is one of this server's, as others see it.
func (s *Server) address(c *call, path string) string {
	base := s.cfg.PublicURL
	if base == "" {
		base = "https://" + c.r.Host
	}
	return strings.TrimSuffix(base, "/") + path
}

// answerIn is the body of the three calls that answer a complaint. Addresses for
// the payer to go to are not read: nobody is sent elsewhere from here.
type answerIn struct {
	MchID   string   `json:"complainted_mchid"`
	Content string   `json:"response_content"`
	Images  []string `json:"response_images"`

	Action       string   `json:"action"`
	Days         int      `json:"launch_refund_day"`
	Reason       string   `json:"reject_reason"`
	RejectImages []string `json:"reject_media_list"`
	Remark       string   `json:"remark"`
}

// against refuses a body about another merchant, and one about none where it is needed.
func (in *answerIn) against(c *wechat.Caller) error {
	switch in.MchID {
	case c.Identity.MchID:
		return nil
	case "":
		return mianmi.InvalidField("complainted_mchid", "is missing")
	}
	return &refusal{code: "MCH_NOT_EXISTS"}
}

// reply is a text to the payer.
func (in *answerIn) reply(c *wechat.Caller) (wechat.ComplaintAnswer, error) {
	return wechat.ComplaintAnswer{Kind: support.Reply, Text: in.Content, Images: in.Images}, in.against(c)
}

// decision is what becomes of the payer's money.
func (in *answerIn) decision() (wechat.ComplaintAnswer, error) {
	a := wechat.ComplaintAnswer{Kind: support.Promise, Days: in.Days}
	switch {
	case in.Action == "REJECT":
		a = wechat.ComplaintAnswer{Kind: support.Refuse, Text: in.Reason, Images: in.RejectImages}
	case in.Action != "APPROVE":
		return a, mianmi.InvalidField("action", "want APPROVE or REJECT")
	}
	return a, plain("remark", in.Remark, remarkMax)
}

func (s *Server) respond(ctx context.Context, c *call) (any, error) {
	var in answerIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	a, err := in.reply(&c.caller)
	if err != nil {
		return nil, err
	}
	return nil, called(s.say(ctx, c, a), "response_content", "response_images")
}

func (s *Server) complete(ctx context.Context, c *call) (any, error) {
	var in answerIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	if err := in.against(&c.caller); err != nil {
		return nil, err
	}
	return nil, s.say(ctx, c, wechat.ComplaintAnswer{Kind: support.Complete})
}

func (s *Server) refundProgress(ctx context.Context, c *call) (any, error) {
	var in answerIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	a, err := in.decision()
	if err != nil {
		return nil, err
	}
	return nil, called(s.say(ctx, c, a), "reject_reason", "reject_media_list")
}

func (s *Server) say(ctx context.Context, c *call, a wechat.ComplaintAnswer) error {
	return notFoundAs("RESOURCE_NOT_EXISTS", s.Service.AnswerComplaint(ctx, &c.caller, c.r.PathValue("complaint"), a))
}

// called gives the fields of an answer the names that they have in a body.
func called(err error, text, images string) error {
	var e *mianmi.Error
	if !errors.As(err, &e) {
		return err
	}
	name, ok := map[string]string{"text": text, "images": images, "days": "launch_refund_day"}[e.Field]
	if !ok {
		return err
	}
	other := *e
	other.Field = name
	return &other
}

// toldOf is where a merchant's software is told of complaints.
type toldOf struct {
	MchID string `json:"mchid"`
	URL   string `json:"url"`
}

func (s *Server) complaintURL(ctx context.Context, c *call) (any, error) {
	at, err := s.Service.ComplaintURL(ctx, &c.caller)
	return toldOf{c.caller.Identity.MchID, at}, notFoundAs("RESOURCE_NOT_EXISTS", err)
}

func (s *Server) setComplaintURL(first bool) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		var in struct {
			URL string `json:"url"`
		}
		if err := decode(c.body, &in); err != nil {
			return nil, err
		}
		switch {
		case in.URL == "":
			return nil, mianmi.InvalidField("url", "is missing")
		case len(in.URL) > notifyMax || strings.Contains(in.URL, "?"):
			return nil, mianmi.InvalidField("url", "is too long, or has parameters")
		}
		err := s.Service.SetComplaintURL(ctx, &c.caller, in.URL, first)
		return toldOf{c.caller.Identity.MchID, in.URL}, notFoundAs("RESOURCE_NOT_EXISTS", err)
	}
}

func (s *Server) dropComplaintURL(ctx context.Context, c *call) (any, error) {
	return nil, notFoundAs("RESOURCE_NOT_EXISTS", s.Service.DropComplaintURL(ctx, &c.caller))
}
