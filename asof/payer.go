package asof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// payer rebuilds a payer's settings, and of what belongs to the payer all that
// wanted accepts. NotFound when the log has no such payer by then.
func (s *Service) payer(ctx context.Context, m moment, id mianmi.PayerID, wanted func(*Payer) (enough bool)) (*Payer, error) {
	var out Payer
	var err error
	out.Told, err = newest(ctx, s, m, asked{subject: string(id), question: question{ofPayers, thing}}, func(e evidence.Entry) (*payer.Payer, error) {
		r, err := payer.ReadRecord(e)
		p := r.Payer(id)
		return &p, err
	})
	if err == nil && !out.Source.Known() {
		return nil, mianmi.Missing("payer")
	}
	if err != nil || wanted(&out) {
		return &out, err
	}
	seen := map[mianmi.MerchantID]bool{}
	err = s.each(ctx, m, asked{subject: string(id), question: question{ofPayers, belongs}}, func(src Source, e evidence.Entry) (bool, error) {
		r, err := payer.ReadRecord(e)
		if err != nil {
			return false, err
		}
		if g := r.Agreement; g != nil && !seen[g.Merchant] { // newest first
			seen[g.Merchant] = true
			out.Agreements = append(out.Agreements, Told[payer.Agreement]{g.Of(id), src})
		}
		in, err := instrument(id, e, r)
		if in != nil {
			out.Instruments = append(out.Instruments, Told[payer.Instrument]{*in, src})
		}
		return err == nil && wanted(&out), err
	})
	return &out, err
}

// instrument is what an entry tells of a card or device.
func instrument(id mianmi.PayerID, e evidence.Entry, r payer.Record) (*payer.Instrument, error) {
	if e.Type != "payer.instrument.added" {
		return nil, nil
	}
	var d struct {
		Instrument mianmi.InstrumentID `json:"instrument"`
		Scheme     string              `json:"scheme"`
		Kind       string              `json:"kind"`
		Domestic   bool                `json:"domestic"`
		Issuer     string              `json:"issuer"`
	}
	text, err := json.Marshal(r.Detail)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil && d.Instrument == "" {
		err = errors.New("no identifier")
	}
	if err != nil {
		return nil, fmt.Errorf("entry %s does not say which instrument was added: %w", e.ID, err)
	}
	return &payer.Instrument{ID: d.Instrument, Payer: id, Scheme: d.Scheme, Kind: d.Kind, Domestic: d.Domestic, Issuer: d.Issuer, CreatedAt: e.At}, nil
}

// agreement is the payer's with a merchant; nil when there was none.
func (p *Payer) agreement(m mianmi.MerchantID) *payer.Agreement {
	for i := range p.Agreements {
		if p.Agreements[i].Value.Merchant == m {
			return &p.Agreements[i].Value
		}
	}
	return nil
}

func (p *Payer) instrument(id mianmi.InstrumentID) *payer.Instrument {
	for i := range p.Instruments {
		if p.Instruments[i].Value.ID == id {
			return &p.Instruments[i].Value
		}
	}
	return nil
}
