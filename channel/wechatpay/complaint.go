package wechatpay

import (
	"context"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core/cipher/decryptors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Complaint is what a payer complains of at WeChat Pay. Its texts are the
// payer's own words: they are for the people who answer, never for a log.
type Complaint struct {
	ID       string
	At       time.Time
	State    string // PENDING, PROCESSING, PROCESSED
	Against  string // the account
	Type     string // REFUND, SERVICE_NOT_WORK, OTHERS
	Problem  string // in WeChat Pay's words
	Detail   string // in the payer's
	Orders   []ComplaintOrder
	Images   []string // for ComplaintImage
	Times    int64    // how often this payer has complained
	Tags     []string // TRUSTED, HIGH_RISK
	Refunded bool     // everything is given back
	// Asked is what the payer wants back; zero: nothing was said.
	Asked        money.Amount
	Waiting      bool // the payer wrote, and nobody has answered
	WithPlatform bool // WeChat Pay helps
	Immediate    bool // the payer is to be served at once
	// Phone is how the payer can be reached; empty in lists.
	Phone string
}

// String keeps the payer's words out of whatever prints a complaint.
func (c Complaint) String() string { return "complaint " + c.ID + " " + c.State }

// GoString is String.
func (c Complaint) GoString() string { return c.String() }

// ComplaintOrder is an order that a complaint is about.
type ComplaintOrder struct {
	Payment     mianmi.PaymentID
	Transaction string
	Amount      money.Amount
}

// ComplaintList asks for the complaints of some days, of all of an account or,
// for a service provider's connection, of its merchant.
type ComplaintList struct {
	From, To time.Time // days of Beijing, both included; at most 30 of them
	Offset   int
	Limit    int // at most 50
}

// Bounds that WeChat Pay has.
const (
	complaintsMax    = 50
	complaintDaysMax = 30
	historyMax       = 300
)

type complaintBody struct {
	ID        string   `json:"complaint_id"`
	At        string   `json:"complaint_time"`
	State     string   `json:"complaint_state"`
	Against   string   `json:"complainted_mchid"`
	Type      string   `json:"problem_type"`
	Problem   string   `json:"problem_description"`
	Detail    string   `json:"complaint_detail"`
	Phone     string   `json:"payer_phone"`
	Times     int64    `json:"user_complaint_times"`
	Refunded  bool     `json:"complaint_full_refunded"`
	Waiting   bool     `json:"incoming_user_response"`
	Platform  bool     `json:"in_platform_service"`
	Immediate bool     `json:"need_immediate_service"`
	Asked     int64    `json:"apply_refund_amount"`
	Tags      []string `json:"user_tag_list"`
	Orders    []struct {
		TransactionID string `json:"transaction_id"`
		OutTradeNo    string `json:"out_trade_no"`
		Amount        int64  `json:"amount"`
	} `json:"complaint_order_info"`
	Media []struct {
		URL []string `json:"media_url"`
	} `json:"complaint_media_list"`
}

func (b *complaintBody) complaint() Complaint {
	c := Complaint{ID: b.ID, At: moment(b.At), State: b.State, Against: b.Against, Type: b.Type, Problem: b.Problem, Detail: b.Detail, Times: b.Times,
		Tags: b.Tags, Refunded: b.Refunded, Waiting: b.Waiting, WithPlatform: b.Platform, Immediate: b.Immediate}
	if b.Asked > 0 {
		c.Asked = money.Of(b.Asked, "CNY")
	}
	for _, o := range b.Orders {
		c.Orders = append(c.Orders, ComplaintOrder{mianmi.PaymentID(o.OutTradeNo), o.TransactionID, money.Of(o.Amount, "CNY")})
	}
	for _, m := range b.Media {
		c.Images = append(c.Images, imageIDs(m.URL)...)
	}
	return c
}

var imageForm = regexp.MustCompile(`^[0-9A-Za-z_.=-]{1,512}$`)

// imageIDs are the images behind addresses of WeChat Pay; other addresses are
// left out, for we fetch nothing from strangers.
func imageIDs(addresses []string) []string {
	var ids []string
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err == nil && path.Dir(u.Path) == "/v3/merchant-service/images" && imageForm.MatchString(path.Base(u.Path)) {
			ids = append(ids, path.Base(u.Path))
		}
	}
	return ids
}

var complaintForm = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

// unavailable is what could not be had of WeChat Pay.
func (r reply) unavailable(what string) error {
	return &mianmi.Error{Kind: mianmi.Unavailable, Msg: r.line(what)}
}

// accountOf finds a connection by its name, and checks the name of a complaint;
// the empty one stands for none.
func (ch *Channel) accountOf(connection, complaint string) (*connection, error) {
	c := ch.connections[connection]
	switch {
	case c == nil:
		return nil, mianmi.Missing("connection")
	case complaint != "" && !complaintForm.MatchString(complaint):
		return nil, mianmi.InvalidField("complaint", "want WeChat Pay's number of a complaint")
	}
	return c, nil
}

const complaintsPath = "/v3/merchant-service/complaints-v2"

// against is the account that complaints are about.
func (c *connection) against() string {
	if c.partner() {
		return c.SubMchID
	}
	return c.MchID
}

// Complaints lists complaints, and says how many there are.
func (ch *Channel) Complaints(ctx context.Context, connection string, l ComplaintList) ([]Complaint, int64, error) {
	c, err := ch.accountOf(connection, "")
	if err != nil {
		return nil, 0, err
	}
	switch days := l.To.Sub(l.From).Hours() / 24; {
	case l.Limit < 1 || l.Limit > complaintsMax:
		return nil, 0, mianmi.InvalidField("limit", "want 1 to 50")
	case l.Offset < 0:
		return nil, 0, mianmi.InvalidField("offset", "want 0 or more")
	case days < 0 || days >= complaintDaysMax:
		return nil, 0, mianmi.InvalidField("to", "want at most 30 days, the last not before the first")
	}
	q := url.Values{"begin_date": {l.From.In(beijing).Format(time.DateOnly)}, "end_date": {l.To.In(beijing).Format(time.DateOnly)},
		"limit": {strconv.Itoa(l.Limit)}, "offset": {strconv.Itoa(l.Offset)}, "complainted_mchid": {c.against()}}
	var got struct {
		Data  []complaintBody `json:"data"`
		Total int64           `json:"total_count"`
	}
	r := c.call(ctx, complaintsPath+"?"+q.Encode(), nil).decode(&got)
	var list []Complaint
	for i := range got.Data {
		if got.Data[i].Against != c.against() {
			r.fault = elsewhere
		}
		list = append(list, got.Data[i].complaint())
	}
	if r.fault != noFault {
		return nil, 0, r.unavailable("complaints")
	}
	return list, got.Total, nil
}

// Complaint returns a complaint with the payer's phone number, if WeChat Pay
// gives one: it is encrypted for the account's API certificate.
func (ch *Channel) Complaint(ctx context.Context, connection, id string) (Complaint, error) {
	c, err := ch.accountOf(connection, id)
	if err != nil || id == "" {
		return Complaint{}, orInvalid(err)
	}
	var got complaintBody
	r := c.call(ctx, complaintsPath+"/"+id, nil).decode(&got)
	if r.fault == noFault && (got.ID != id || got.Against != "" && got.Against != c.against()) {
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return Complaint{}, r.unavailable("complaint")
	}
	out := got.complaint()
	if got.Phone != "" {
		if phone, err := decryptors.NewWechatPayDecryptor(c.PrivateKey).Decrypt(ctx, got.Phone); err == nil {
			out.Phone = phone
		}
	}
	return out, nil
}

func orInvalid(err error) error {
	if err == nil {
		err = mianmi.InvalidField("complaint", "want WeChat Pay's number of a complaint")
	}
	return err
}

// ComplaintStep is one step of what went between payer, merchant and WeChat Pay.
type ComplaintStep struct {
	ID     string
	At     time.Time
	By     string
	What   string // USER_CREATE_COMPLAINT and two dozen others
	Detail string
	Images []string
}

// ComplaintHistory is what became of a complaint so far, as WeChat Pay orders
// it; at most 300 steps.
func (ch *Channel) ComplaintHistory(ctx context.Context, connection, id string) ([]ComplaintStep, error) {
	c, err := ch.accountOf(connection, id)
	if err != nil || id == "" {
		return nil, orInvalid(err)
	}
	var got struct {
		Data []struct {
			ID     string   `json:"log_id"`
			At     string   `json:"operate_time"`
			By     string   `json:"operator"`
			What   string   `json:"operate_type"`
			Detail string   `json:"operate_details"`
			Images []string `json:"image_list"`
			Media  struct {
				URL []string `json:"media_url"`
			} `json:"complaint_media_list"`
		} `json:"data"`
	}
	r := c.call(ctx, complaintsPath+"/"+id+"/negotiation-historys?limit="+strconv.Itoa(historyMax)+"&offset=0", nil).decode(&got)
	if r.fault != noFault {
		return nil, r.unavailable("complaint history")
	}
	var steps []ComplaintStep
	for _, d := range got.Data {
		steps = append(steps, ComplaintStep{ID: d.ID, At: moment(d.At), By: d.By, What: d.What, Detail: d.Detail, Images: imageIDs(append(d.Images, d.Media.URL...))})
	}
	return steps, nil
}
