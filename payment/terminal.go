package payment

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// AtTerminal is what a payment at a terminal meets before card and payer have a
// say: the rules in force and the settings.
type AtTerminal struct {
	Site   settings.Site
	Rules  *pinfree.RuleSet // may be nil: nothing is PIN-free
	Layers []pinfree.Layer
	Epoch  int64 // of the settings
	At     time.Time
}

// AtTerminal reads what payments by the method meet at a terminal now. Whether
// the caller may know is left to whoever asks. A terminal that is not known is
// NotFound.
func (s *Service) AtTerminal(ctx context.Context, id mianmi.TerminalID, m pinfree.Method) (AtTerminal, error) {
	snap, err := s.Books.Settings(ctx)
	if err != nil {
		return AtTerminal{}, err
	}
	site, ok := snap.Site(id)
	if !ok {
		return AtTerminal{}, mianmi.Missing("terminal")
	}
	now := s.now()
	return AtTerminal{Site: site, Rules: s.seen(ctx, snap), Epoch: snap.Epoch(), At: now,
		Layers: site.AppendLayers(nil, settings.Asked{Channel: s.Wallet.Name(), Method: m, Now: now, SettingsAlone: true})}, nil
}
