package wechatpay

import (
	"context"
	"net/http"
	"slices"

	"github.com/mianmi/mianmi"
)

// MerchantsOf are the merchants here that use a connection.
func (ch *Channel) MerchantsOf(connection string) []mianmi.MerchantID {
	if c := ch.connections[connection]; c != nil {
		return slices.Clone(c.Merchants)
	}
	return nil
}

// Listening says what WeChat Pay does when a payer complains.
type Listening struct {
	Wanted bool // the configuration says that this installation is to be told
	Here   bool // it is told
	Other  bool // somebody else is
}

// ListensToComplaints asks who is told of complaints. That nobody is, WeChat Pay
// says by an error that nobody signs: so that is as sure as the TLS connection.
func (ch *Channel) ListensToComplaints(ctx context.Context, connection string) (Listening, error) {
	c, err := ch.accountOf(connection, "")
	if err != nil {
		return Listening{}, err
	}
	at, missing, err := ch.complaintURL(ctx, connection, http.MethodGet)
	if err != nil && !missing {
		return Listening{Wanted: c.ComplaintNotices}, err
	}
	return Listening{Wanted: c.ComplaintNotices, Here: at == c.notifyURL(complaintKind), Other: at != "" && at != c.notifyURL(complaintKind)}, nil
}

// ListenToComplaints has WeChat Pay tell this installation, where the
// configuration says so.
func (ch *Channel) ListenToComplaints(ctx context.Context, connection string) error {
	if c := ch.connections[connection]; c != nil && !c.ComplaintNotices {
		return nil
	}
	l, err := ch.ListensToComplaints(ctx, connection)
	if err == nil && !l.Here {
		_, err = ch.SetComplaintNotifyURL(ctx, connection)
	}
	return err
}
