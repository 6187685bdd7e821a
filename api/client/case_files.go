package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/mianmi/mianmi"
)

// CaseFile is something that was attached to a case.
type CaseFile struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Type     string    `json:"type"` // by its content
	Size     int64     `json:"size"` // bytes
	Audience string    `json:"audience"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

// AttachFile attaches a file to a case, for an audience: inside, payer, merchant.
func (c *Client) AttachFile(ctx context.Context, id mianmi.CaseID, name, audience string, content []byte) (Case, error) {
	v := url.Values{"name": {name}, "audience": {audience}}
	return call[Case](ctx, c, http.MethodPost, "/v1/cases/"+seg(id)+"/files?"+v.Encode(), content)
}

// CaseFileContent is a file that is attached to a case.
func (c *Client) CaseFileContent(ctx context.Context, id mianmi.CaseID, file string) ([]byte, error) {
	return c.bytes(ctx, "/v1/cases/"+seg(id)+"/files/"+seg(file))
}
