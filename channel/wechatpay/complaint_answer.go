package wechatpay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"

	"github.com/mianmi/mianmi"
)

// ComplaintAnswer is what the merchant writes to the payer.
type ComplaintAnswer struct {
	Text   string
	Images []string // of UploadComplaintImage, at most 4
}

// ComplaintRefund is what the merchant decides on a payer's wish to get money
// back. To approve gives nothing back: that is a refund of its own.
type ComplaintRefund struct {
	Approve bool
	Days    int    // with Approve: within how many days it is given back; 0 to 30
	Reason  string // without: why not
	Images  []string
	Remark  string
}

// Bounds that WeChat Pay has on what is written.
const (
	answerRunesMax   = 200
	answerImagesMax  = 4
	refundDaysMax    = 30
	imageBytesMax    = 2 << 20
	imageAnswerBytes = 3 << 20 // of an image that is fetched
)

// RespondToComplaint writes to the payer. All three that answer a complaint
// return the complaint as it stands then, for WeChat Pay's own answer to them is
// empty; what was written is in its history.
func (ch *Channel) RespondToComplaint(ctx context.Context, connection, id string, a ComplaintAnswer) (Complaint, error) {
	switch {
	case a.Text == "" || len([]rune(a.Text)) > answerRunesMax:
		return Complaint{}, mianmi.InvalidField("text", "want 1 to 200 characters")
	case !images(a.Images):
		return Complaint{}, mianmi.InvalidField("images", "want at most 4 images that were uploaded")
	}
	body := map[string]any{"response_content": a.Text}
	if len(a.Images) > 0 {
		body["response_images"] = a.Images
	}
	return ch.answerComplaint(ctx, connection, id, "response", body)
}

// CompleteComplaint says that the complaint is settled.
func (ch *Channel) CompleteComplaint(ctx context.Context, connection, id string) (Complaint, error) {
	return ch.answerComplaint(ctx, connection, id, "complete", map[string]any{})
}

// DecideComplaintRefund says whether the payer gets money back.
func (ch *Channel) DecideComplaintRefund(ctx context.Context, connection, id string, d ComplaintRefund) (Complaint, error) {
	body := map[string]any{"complaint_id": id, "action": "REJECT", "reject_reason": d.Reason, "remark": d.Remark}
	switch {
	case len([]rune(d.Remark)) > answerRunesMax:
		return Complaint{}, mianmi.InvalidField("remark", "want at most 200 characters")
	case d.Approve && (d.Days < 0 || d.Days > refundDaysMax):
		return Complaint{}, mianmi.InvalidField("days", "want 0 to 30")
	case d.Approve:
		body = map[string]any{"complaint_id": id, "action": "APPROVE", "launch_refund_day": d.Days, "remark": d.Remark}
	case d.Reason == "" || len([]rune(d.Reason)) > answerRunesMax:
		return Complaint{}, mianmi.InvalidField("reason", "want 1 to 200 characters")
	case !images(d.Images):
		return Complaint{}, mianmi.InvalidField("images", "want at most 4 images that were uploaded")
	case len(d.Images) > 0:
		body["reject_media_list"] = d.Images
	}
	return ch.answerComplaint(ctx, connection, id, "update-refund-progress", body)
}

func images(ids []string) bool {
	for _, id := range ids {
		if !imageForm.MatchString(id) {
			return false
		}
	}
	return len(ids) <= answerImagesMax
}

func (ch *Channel) answerComplaint(ctx context.Context, connection, id, what string, body map[string]any) (Complaint, error) {
	c, err := ch.accountOf(connection, id)
	if err != nil || id == "" {
		return Complaint{}, orInvalid(err)
	}
	if what != "update-refund-progress" {
		body["complainted_mchid"] = c.against()
	}
	if r := c.call(ctx, complaintsPath+"/"+id+"/"+what, body); r.fault != noFault {
		return Complaint{}, r.unavailable("complaint " + what)
	}
	return ch.Complaint(ctx, connection, id)
}

// UploadComplaintImage sends a picture (JPEG, PNG or BMP, at most 2 MiB) and
// returns its number for an answer.
func (ch *Channel) UploadComplaintImage(ctx context.Context, connection, name string, picture []byte) (string, error) {
	c, err := ch.accountOf(connection, "")
	if err != nil {
		return "", err
	}
	kind := http.DetectContentType(picture)
	switch {
	case kind != "image/jpeg" && kind != "image/png" && kind != "image/bmp" || len(picture) > imageBytesMax:
		return "", mianmi.InvalidField("picture", "want JPEG, PNG or BMP of at most 2 MiB")
	case !imageForm.MatchString(name) || len(name) > 64:
		return "", mianmi.InvalidField("name", "want 1 to 64 of letters, digits, dot, - and _")
	}
	sum := sha256.Sum256(picture)
	meta, err := json.Marshal(map[string]string{"filename": name, "sha256": hex.EncodeToString(sum[:])})
	if err != nil {
		return "", err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := errors.Join(core.CreateFormField(w, "meta", consts.ApplicationJSON, meta), core.CreateFormFile(w, name, kind, picture), w.Close()); err != nil {
		return "", err
	}
	var got struct {
		ID string `json:"media_id"`
	}
	r := c.do(ctx, func(ctx context.Context) (*core.APIResult, error) {
		return c.client.Upload(ctx, consts.WechatPayAPIServer+"/v3/merchant-service/images/upload", string(meta), form.String(), w.FormDataContentType())
	}).decode(&got)
	if r.fault == noFault && !imageForm.MatchString(got.ID) {
		r.fault = unread
	}
	if r.fault != noFault {
		return "", r.unavailable("complaint image")
	}
	return got.ID, nil
}

// ComplaintImage fetches a picture. WeChat Pay signs none, so it is as sure as
// the TLS connection is; show it as a picture and nothing else.
func (ch *Channel) ComplaintImage(ctx context.Context, connection, id string) ([]byte, error) {
	c, err := ch.accountOf(connection, "")
	if err != nil {
		return nil, err
	}
	if !imageForm.MatchString(id) {
		return nil, mianmi.InvalidField("image", "want the number of a picture")
	}
	r := c.do(ctx, func(ctx context.Context) (*core.APIResult, error) {
		return c.unsigned.Get(ctx, consts.WechatPayAPIServer+"/v3/merchant-service/images/"+url.PathEscape(id))
	})
	if r.fault != noFault {
		return nil, r.unavailable("complaint image")
	}
	switch http.DetectContentType(r.body) {
	case "image/jpeg", "image/png", "image/bmp", "image/gif", "image/webp":
		return r.body, nil
	}
	r.fault = unread
	return nil, r.unavailable("complaint image")
}

const complaintNotices = "/v3/merchant-service/complaint-notifications"

// ComplaintNotifyURL is where WeChat Pay tells of complaints; an account has one
// such address.
func (ch *Channel) ComplaintNotifyURL(ctx context.Context, connection string) (string, error) {
	at, _, err := ch.complaintURL(ctx, connection, http.MethodGet)
	return at, err
}

// SetComplaintNotifyURL has WeChat Pay tell this installation of complaints.
func (ch *Channel) SetComplaintNotifyURL(ctx context.Context, connection string) (string, error) {
	at, _, err := ch.complaintURL(ctx, connection, http.MethodPost)
	if err != nil {
		at, _, err = ch.complaintURL(ctx, connection, http.MethodPut) // there is another one
	}
	return at, err
}

// DropComplaintNotifyURL has WeChat Pay tell nobody.
func (ch *Channel) DropComplaintNotifyURL(ctx context.Context, connection string) error {
	_, _, err := ch.complaintURL(ctx, connection, http.MethodDelete)
	return err
}

// complaintURL reads or changes the address; missing: WeChat Pay claims that there is none.
func (ch *Channel) complaintURL(ctx context.Context, connection, method string) (at string, missing bool, err error) {
	c, err := ch.accountOf(connection, "")
	if err != nil {
		return "", false, err
	}
	var body any
	header := http.Header{}
	if method == http.MethodPost || method == http.MethodPut {
		body = map[string]string{"url": c.notifyURL(complaintKind)}
	}
	r := c.do(ctx, func(ctx context.Context) (*core.APIResult, error) {
		return c.client.Request(ctx, method, consts.WechatPayAPIServer+complaintNotices, header, nil, body, consts.ApplicationJSON)
	})
	var got struct {
		MchID string `json:"mchid"`
		URL   string `json:"url"`
	}
	if method != http.MethodDelete {
		r = r.decode(&got)
		if r.fault == noFault && (got.MchID != c.MchID || body != nil && got.URL != c.notifyURL(complaintKind)) {
			r.fault = elsewhere
		}
	}
	if r.fault != noFault {
		return "", r.missing(), r.unavailable("complaint notifications")
	}
	return got.URL, false, nil
}
