package payer

import (
	"context"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/secret"
)

// A payment code is 18 digits: two of prefix, three of bucket, thirteen random
// (ADR 3).
const (
	CodeDigits   = 18
	prefixDigits = 2
	bucketDigits = 3
	randomDigits = CodeDigits - prefixDigits - bucketDigits
)

// IssuedCode is a payment code as the phone shows it.
type IssuedCode struct {
	Digits    string // a bearer secret: never in a log
	ExpiresAt time.Time
}

// Code is a payment code as it is stored.
type Code struct {
	Payer     mianmi.PayerID
	Digest    []byte // CodeDigest
	ExpiresAt time.Time
}

// codeTries bounds how often a code that is taken already is drawn again; one
// is drawn again once in some 10^9.
const codeTries = 3

// IssueCode issues a payment code that lives Config.CodeLife and can be used
// once. Above Config.CodesMax live ones it is a Conflict with the code
// "too_many_codes". It is no change of settings, so it is not in the record.
func (s *Service) IssueCode(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) (IssuedCode, error) {
	if err := access.Allow(actor, access.PayerCode, target(id)); err != nil {
		return IssuedCode{}, err
	}
	if err := checkID(id); err != nil {
		return IssuedCode{}, err
	}
	now := s.now()
	var err error
	for range codeTries {
		var text string
		if text, err = s.drawCode(id.Bucket()); err != nil {
			return IssuedCode{}, err
		}
		c := Code{Payer: id, Digest: CodeDigest(s.Keys, text), ExpiresAt: now.Add(s.cfg.CodeLife)}
		err = s.Store.InsertCode(ctx, c, now, s.cfg.CodesMax)
		if err == nil {
			return IssuedCode{Digits: text, ExpiresAt: c.ExpiresAt}, nil
		}
		if !taken(err) {
			break
		}
	}
	return IssuedCode{}, err
}

func (s *Service) drawCode(b mianmi.Bucket) (string, error) {
	random, err := secret.Digits(s.Random, randomDigits)
	if err != nil {
		return "", err
	}
	return s.cfg.CodePrefix + strconv.Itoa(1000 + int(b))[1:] + random, nil
}

// ParseCode checks the form of a payment code and returns the bucket of its
// payer. Anything but 18 digits with a bucket in them is an Invalid error that
// names "code" and quotes nothing.
func ParseCode(text string) (mianmi.Bucket, error) {
	if !digits(text, CodeDigits, CodeDigits) {
		return 0, mianmi.InvalidField("code", "want 18 digits")
	}
	n, err := strconv.Atoi(text[prefixDigits : prefixDigits+bucketDigits])
	if err != nil || n >= mianmi.Buckets {
		return 0, mianmi.InvalidField("code", "not a payment code")
	}
	return mianmi.Bucket(n), nil //nolint:gosec // below 256
}

// CodeDigest is what is stored of a payment code.
func CodeDigest(k *secret.Keys, text string) []byte { return k.Digest(secret.ForPaymentCode, text) }
