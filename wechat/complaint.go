package wechat

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support"
)

// Complaints is what this package asks of support.Service: those that payers of
// the wallet have made here.
type Complaints interface {
	WalletComplaints(ctx context.Context, a mianmi.Actor, q support.WalletQuery) ([]support.Complaint, int64, error)
	WalletComplaint(ctx context.Context, a mianmi.Actor, number string) (support.Complaint, []support.Step, error)
	Answer(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID, o support.Order) (support.Answer, error)
	AddPicture(ctx context.Context, a mianmi.Actor, m mianmi.MerchantID, picture []byte) (string, error)
	MerchantPicture(ctx context.Context, a mianmi.Actor, m mianmi.MerchantID, id string) ([]byte, error)
}

// ComplaintView is a complaint in WeChat Pay's form. The payer's phone number is
// never in it: the merchant answers here.
type ComplaintView struct {
	ID          string           `json:"complaint_id"`
	At          string           `json:"complaint_time"`
	Detail      string           `json:"complaint_detail"`
	MchID       string           `json:"complainted_mchid"`
	State       string           `json:"complaint_state"`
	OpenID      string           `json:"payer_openid,omitempty"`
	Orders      []ComplaintOrder `json:"complaint_order_info"`
	Refunded    bool             `json:"complaint_full_refunded"`
	Waiting     bool             `json:"incoming_user_response"`
	Times       int64            `json:"user_complaint_times"`
	Description string           `json:"problem_description"`
	Type        string           `json:"problem_type"`
	Asked       int64            `json:"apply_refund_amount,omitempty"`
	Platform    bool             `json:"in_platform_service"`
	Immediate   bool             `json:"need_immediate_service"`
}

// ComplaintOrder is an order that a complaint is about.
type ComplaintOrder struct {
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	Amount        int64  `json:"amount"`
}

// ComplaintStep is one step of a complaint's history in WeChat Pay's form. Images
// are names of pictures.
type ComplaintStep struct {
	ID       string   `json:"log_id"`
	Operator string   `json:"operator"`
	At       string   `json:"operate_time"`
	Type     string   `json:"operate_type"`
	Details  string   `json:"operate_details"`
	Images   []string `json:"image_list"`
}

var (
	complaintStates = map[support.State]string{support.Pending: "PENDING", support.Processing: "PROCESSING", support.Processed: "PROCESSED"}
	problemTypes    = map[support.Problem]string{support.WantsRefund: "REFUND", support.NotWorking: "SERVICE_NOT_WORK", support.OtherProblem: "OTHERS"}
	problemTexts    = map[support.Problem]string{support.WantsRefund: "申请退款", support.NotWorking: "服务权益未生效", support.OtherProblem: "其他问题"}
	operators       = map[support.Party]string{support.ByPayer: "投诉人", support.ByMerchant: "商家", support.ByPlatform: "客服"}
)

// ComplaintList asks for complaints of some days.
type ComplaintList struct {
	From, To time.Time // To is excluded
	Offset   int
	Limit    int
}

// ListComplaints lists a merchant's complaints, and says how many there are.
func (s *Service) ListComplaints(ctx context.Context, c *Caller, l ComplaintList) ([]ComplaintView, int64, error) {
	list, all, err := s.Complaints.WalletComplaints(ctx, c.Actor, support.WalletQuery{Merchant: c.Merchant, From: l.From, To: l.To, Offset: l.Offset, Limit: l.Limit})
	if err != nil {
		return nil, 0, err
	}
	out := make([]ComplaintView, len(list))
	for i := range list {
		if out[i], err = s.viewComplaint(ctx, c, &list[i]); err != nil {
			return nil, 0, err
		}
		out[i].OpenID = "" // which lists do not have there
	}
	return out, all, nil
}

// FindComplaint is a complaint with its history, oldest step first.
func (s *Service) FindComplaint(ctx context.Context, c *Caller, number string) (ComplaintView, []ComplaintStep, error) {
	k, steps, err := s.Complaints.WalletComplaint(ctx, c.Actor, number)
	if err != nil {
		return ComplaintView{}, nil, err
	}
	out := make([]ComplaintStep, len(steps))
	for i, t := range steps {
		out[i] = ComplaintStep{ID: t.Number, Operator: operators[t.By], At: Stamp(t.At), Type: t.What, Details: t.Text, Images: t.Images}
	}
	v, err := s.viewComplaint(ctx, c, &k)
	return v, out, err
}

func (s *Service) viewComplaint(ctx context.Context, c *Caller, k *support.Complaint) (ComplaintView, error) {
	v := ComplaintView{ID: k.Number, At: Stamp(k.At), Detail: k.Text, MchID: c.Identity.MchID, State: complaintStates[k.State], OpenID: s.OpenID(c.Identity.AppID, k.Payer),
		Orders: []ComplaintOrder{}, Waiting: k.Flags.Has(support.Waiting), Times: k.Times, Description: problemTexts[k.Problem], Type: problemTypes[k.Problem], Asked: k.Asked.Minor()}
	if id := k.Own(); id != "" {
		p, err := s.Payments.Payment(ctx, c.Actor, id)
		if err != nil {
			return v, err
		}
		v.Orders = append(v.Orders, ComplaintOrder{TransactionID: string(p.ID), OutTradeNo: p.OrderNo, Amount: p.Amount.Minor()})
		v.Refunded = p.State == payment.Refunded
	}
	return v, nil
}

// ComplaintAnswer is what a merchant's software says to a payer. To approve
// moves no money, as at WeChat Pay: the software refunds by itself.
type ComplaintAnswer struct {
	Kind   support.Kind // Reply, Refuse, Promise, Complete
	Text   string
	Images []string
	Days   int
}

// AnswerComplaint says it at once. The same request again, by whoever has
// overheard it, says nothing more: the answer's key is what was signed.
func (s *Service) AnswerComplaint(ctx context.Context, c *Caller, number string, a ComplaintAnswer) error {
	k, _, err := s.Complaints.WalletComplaint(ctx, c.Actor, number)
	if err != nil {
		return err
	}
	o := support.Order{Key: c.Request[:min(len(c.Request), 32)], Kind: a.Kind, Text: a.Text, Images: a.Images, Days: a.Days}
	if a.Kind == support.Complete {
		o.Version = k.Version // what has come while this was under way is not passed over
	}
	out, err := s.Complaints.Answer(ctx, c.Actor, k.ID, o)
	if err == nil && out.State == support.Failed {
		err = mianmi.Conflicts(out.Fault, "this cannot be said any more: read the complaint")
	}
	return err
}
