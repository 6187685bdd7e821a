package wechatv3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
)

const (
	// formMax bounds the rest of a form: a picture and what is around it.
	formMax = support.PictureMax + 64<<10
	metaMax = 4 << 10
	// unsureMax is what is read of a form before its signature holds: meta, what is
	// around it, and what is read ahead.
	unsureMax = 32 << 10
)

// form is an upload whose part meta was read.
type form struct {
	*multipart.Reader
	rest *io.LimitedReader
}

// formOf opens the form of an upload. Of such only the part meta is signed: it
// comes first, and what comes after is read when its signature holds.
func formOf(c *call) (*form, error) {
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, nil //nolint:nilnil,nilerr // it is no form, and signed whole
	}
	bad := &mianmi.Error{Kind: mianmi.Invalid, Msg: "want a form whose first part is meta"}
	if params["boundary"] == "" {
		return nil, bad
	}
	rest := &io.LimitedReader{R: c.r.Body, N: unsureMax}
	f := &form{multipart.NewReader(rest, params["boundary"]), rest}
	part, err := f.NextRawPart()
	if err != nil || part.FormName() != "meta" {
		return nil, bad
	}
	if c.body, err = io.ReadAll(io.LimitReader(part, metaMax+1)); err != nil || len(c.body) > metaMax {
		return nil, bad
	}
	return f, nil
}

// metaIn is what is signed of a picture.
type metaIn struct {
	Name   string `json:"filename"`
	SHA256 string `json:"sha256"`
}

func (in *metaIn) check() error {
	if len(in.SHA256) != 2*sha256.Size || strings.Trim(in.SHA256, "0123456789abcdefABCDEF") != "" {
		return mianmi.InvalidField("sha256", "64 hexadecimal digits")
	}
	return plain("filename", in.Name, 128)
}

// uploadPicture keeps a picture for an answer. Its name is the hash of what it
// is; what it was called is not kept.
func (s *Server) uploadPicture(ctx context.Context, c *call) (any, error) {
	if c.form == nil {
		return nil, mianmi.InvalidField("file", "want multipart/form-data")
	}
	var in metaIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	c.form.rest.N = formMax
	part, err := c.form.NextRawPart()
	if err != nil || part.FormName() != "file" {
		return nil, mianmi.InvalidField("file", "is missing after meta")
	}
	picture, err := io.ReadAll(io.LimitReader(part, support.PictureMax+1))
	if err != nil {
		return nil, &mianmi.Error{Kind: mianmi.Invalid, Msg: "the picture did not come whole", Err: err}
	}
	sum := sha256.Sum256(picture)
	if !strings.EqualFold(hex.EncodeToString(sum[:]), in.SHA256) {
		return nil, mianmi.InvalidField("sha256", "is not that of the file, which may have 2 MiB")
	}
	id, err := s.Service.Complaints.AddPicture(ctx, c.caller.Actor, c.caller.Merchant, picture)
	return struct {
		ID string `json:"media_id"`
	}{id}, err
}

// raw is an answer that is no JSON.
type raw []byte

func (s *Server) showPicture(ctx context.Context, c *call) (any, error) {
	picture, err := s.Service.Complaints.MerchantPicture(ctx, c.caller.Actor, c.caller.Merchant, c.r.PathValue("picture"))
	return raw(picture), notFoundAs("RESOURCE_NOT_EXISTS", err)
}
