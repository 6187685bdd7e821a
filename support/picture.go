package support

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	_ "image/jpeg" // a picture's form
	_ "image/png"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Picture is one that a merchant has uploaded; ID is the hash of what it is.
type Picture struct {
	Merchant mianmi.MerchantID
	ID       string
	Bytes    []byte
	At       time.Time
}

const (
	// PictureMax bounds a picture in bytes, as WeChat Pay does.
	PictureMax = 2 << 20
	// merchantPicturesMax bounds the pictures of a merchant: ten a day of 300 KB, for
	// a year.
	merchantPicturesMax = 1 << 30
	// pictureUnused is how long a picture is kept that no answer names, pictureUsed
	// one that an answer names: twice as long as one may complain of a payment.
	pictureUnused = 7 * 24 * time.Hour
	pictureUsed   = 2 * complainWithin
	// sideMax bounds a picture's sides: beyond it viewers run out of memory.
	sideMax = 16384
)

// PictureRoom is how many pictures a merchant may have.
type PictureRoom struct {
	Bytes        int64
	Unused, Used time.Time // those from before it that no answer names, or that one names, go
}

// AddPicture keeps a picture for answers, and returns its name. The same twice
// is one.
func (s *Service) AddPicture(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, picture []byte) (string, error) {
	if err := access.Allow(actor, access.ComplaintAnswer, access.Target{Merchant: m}); err != nil {
		return "", err
	}
	if len(picture) > PictureMax || !isPicture(picture) {
		return "", mianmi.InvalidField("file", "want JPEG, PNG or BMP of at most 2 MiB")
	}
	sum, now := sha256.Sum256(picture), s.now()
	p := Picture{Merchant: m, ID: hex.EncodeToString(sum[:]), Bytes: picture, At: now}
	return p.ID, s.Store.PutPicture(ctx, p, PictureRoom{merchantPicturesMax, now.Add(-pictureUnused), now.Add(-pictureUsed)})
}

// isPicture looks at what it is, not at what it is called.
func isPicture(b []byte) bool {
	if c, kind, err := image.DecodeConfig(bytes.NewReader(b)); err == nil {
		return (kind == "jpeg" || kind == "png") && size(int64(c.Width), int64(c.Height))
	}
	// A bitmap: "BM", its length, where its points begin, and one of the headers
	// that Windows has had since version 3, with width and height.
	if len(b) < 54 || string(b[:2]) != "BM" {
		return false
	}
	header, from := binary.LittleEndian.Uint32(b[14:]), binary.LittleEndian.Uint32(b[10:])
	width, height := int64(int32(binary.LittleEndian.Uint32(b[18:]))), int64(int32(binary.LittleEndian.Uint32(b[22:]))) //nolint:gosec // they are signed there
	return slices.Contains([]uint32{40, 52, 56, 108, 124}, header) && from >= 14+header && int(from) < len(b) && size(width, max(height, -height))
}

func size(width, height int64) bool {
	return width > 0 && width <= sideMax && height > 0 && height <= sideMax
}

// pictureID reports a name that AddPicture gives.
func pictureID(id string) bool {
	return len(id) == 2*sha256.Size && strings.Trim(id, "0123456789abcdef") == ""
}

// MerchantPicture is one that the merchant has uploaded.
func (s *Service) MerchantPicture(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, id string) ([]byte, error) {
	if err := access.Allow(actor, access.ComplaintShow, access.Target{Merchant: m}); err != nil {
		return nil, err
	}
	if !pictureID(id) {
		return nil, errNoPicture
	}
	return s.Store.Picture(ctx, m, id)
}

// PayerPicture is one that an answer to a payer's complaint names.
func (s *Service) PayerPicture(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, complaint mianmi.ComplaintID, picture string) ([]byte, error) {
	c, steps, err := s.PayerComplaint(ctx, actor, id, complaint)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(steps, func(t Step) bool { return slices.Contains(t.Images, picture) }) {
		return nil, errNoPicture
	}
	return s.Store.Picture(ctx, c.Merchant, picture)
}

var errNoPicture = mianmi.Missing("picture")

// WalletQuery asks for complaints that were made here, as WeChat Pay's form does.
type WalletQuery struct {
	Merchant mianmi.MerchantID
	From, To time.Time // To is excluded
	Offset   int
	Limit    int
}

// WalletComplaints is a page of a merchant's, newest first, and how many there are.
func (s *Service) WalletComplaints(ctx context.Context, actor mianmi.Actor, q WalletQuery) ([]Complaint, int64, error) {
	if err := access.Allow(actor, access.ComplaintShow, access.Target{Merchant: q.Merchant}); err != nil {
		return nil, 0, err
	}
	if q.Offset = max(q.Offset, 0); q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	return s.Store.WalletComplaints(ctx, q)
}

// WalletComplaint is one that was made here, by its number.
func (s *Service) WalletComplaint(ctx context.Context, actor mianmi.Actor, number string) (Complaint, []Step, error) {
	if !token(number) {
		return Complaint{}, nil, errNoComplaint
	}
	c, err := s.Store.ComplaintByKey(ctx, Key{Wallet, number})
	if err != nil {
		return c, nil, err
	}
	return s.Complaint(ctx, actor, c.ID)
}
