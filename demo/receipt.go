package demo

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/receipt"
)

// receiptTries bounds the wait for a receipt: it is there within a second.
const receiptTries = 100

// receipt fetches the receipt of the closing, verifies it as a stranger would,
// with the log's public key and nothing else, changes one byte and tries again.
func (s *story) receipt(ctx context.Context) error {
	o := &outcome{}
	text, trust, err := s.closingReceipt(ctx)
	if err == nil {
		p, err := verifyReceipt(text, trust)
		o.must(err == nil && p.Believed, tf("凭证应成立，实为 %v", "the receipt should hold, it is %v", err))
		o.saw = receipt.Tell(p).Sentence
	}
	s.step(t("取得关闭免密的凭证，不连服务器，用日志公钥核对", "The receipt of the closing is fetched and verified with the log's public key, offline"), t("凭证成立", "it holds"), o, err)
	if err != nil {
		return err
	}
	o = &outcome{}
	at := bytes.Index(text, []byte("closed"))
	if at < 0 {
		return fmt.Errorf("the receipt does not say that anything was closed")
	}
	bad := bytes.Clone(text)
	bad[at] ^= 1 // "closed" becomes "blosed"
	_, err = verifyReceipt(bad, trust)
	o.must(err != nil, t("应被识破", "it should have been found out"))
	if err != nil {
		o.saw = receipt.Fault(err)
	}
	s.step(t("把凭证改动一个字节，再核对", "One byte of it is changed, and it is verified again"), t("凭证不成立，并指出何处不符", "it does not hold, and what does not fit is named"), o, nil)
	return nil
}

// closingReceipt returns the receipt of the newest closing and the key to
// verify it with.
func (s *story) closingReceipt(ctx context.Context) ([]byte, evidence.Trust, error) {
	var trust evidence.Trust
	list, err := s.lin.phone.Entries(ctx, client.Me, client.Page{Limit: 200})
	if err != nil {
		return nil, trust, err
	}
	id := ""
	for _, e := range list.Items {
		if e.Type == "payer.pin_free.closed" {
			id = string(e.ID)
		}
	}
	var text []byte
	if err := s.inLog(ctx, func() (err error) { text, err = s.lin.phone.Receipt(ctx, id); return err }); err != nil {
		return nil, trust, err
	}
	trust, err = s.logTrust(ctx)
	return text, trust, err
}

// logTrust are the log's keys as it publishes them.
func (s *story) logTrust(ctx context.Context) (trust evidence.Trust, err error) {
	keys, err := s.api.LogKeys(ctx)
	for _, k := range keys.Keys {
		var v note.Verifier
		if v, err = evidence.ParseKey(k.Key); err != nil {
			break
		}
		trust.Log = append(trust.Log, v)
	}
	return trust, err
}

func verifyReceipt(text []byte, t evidence.Trust) (evidence.Proved, error) {
	r, err := evidence.ParseReceipt(text)
	if err != nil {
		return evidence.Proved{}, err
	}
	return r.Verify(t)
}
