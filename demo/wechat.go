package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// Peer is a second mianmi, which is WeChat Pay to the first: it has payers of
// its own, and serves a merchant in the form of WeChat Pay's APIv3.
type Peer struct{ *loader }

// OpenPeer takes up the world of the peer's folder, or makes it.
func OpenPeer(ctx context.Context, st Stage) (*Peer, error) {
	api, err := client.New(st.URL, client.Options{Lang: st.Lang})
	if err != nil {
		return nil, err
	}
	p := &Peer{&loader{Stage: st, api: api}}
	if p.world, err = Claim(st.Dir, st.Database); err != nil {
		return nil, err
	}
	if err = p.enter(ctx); err == nil && !p.world.Whole {
		err = p.make(ctx)
	}
	p.wallet = p.api.As(p.world.WalletKey)
	return p, err
}

func (p *Peer) make(ctx context.Context) error {
	p.world = &World{Database: p.Database}
	if err := p.foundation(ctx); err != nil {
		return err
	}
	if err := p.merchant(ctx, &bookshopThere); err != nil {
		return fmt.Errorf("merchant %s: %w", bookshopThere.name, err)
	}
	m := &p.world.Merchants[0]
	made, err := p.operator.CreateWechatCredentials(ctx, m.ID, m.Stores[0].Terminals[0].ID, "")
	if err != nil {
		return fmt.Errorf("WeChat Pay credentials: %w", err)
	}
	p.world.WeChat, p.world.Whole = &made, true
	return p.world.Save(p.Dir)
}

// Connection writes the file by which a server takes payments of a merchant
// through the peer, with its keys beside it, and returns its path. notify is the
// address of that server.
func (p *Peer) Connection(ctx context.Context, m mianmi.MerchantID, notify string) (string, error) {
	now, err := p.operator.WechatCredentials(ctx, p.world.Merchants[0].ID) // the public key of today
	if err != nil {
		return "", err
	}
	c := p.world.WeChat
	file := filepath.Join(p.Dir, "wechatpay.yaml")
	text := fmt.Sprintf(`connections:
  - name: bookshop
    merchants: [%s]
    mchid: "%s"
    appid: %s
    serial: %s
    private_key: {file: apiclient_key.pem}
    api_v3_key: {file: api_v3_key}
    public_key: {id: %s, file: pub_key.pem}
    base_url: %s
    notify_url: %s
    unknown_payers: own_rules
`, m, c.MchID, c.AppID, c.Serials[0].Serial, now.PublicKeyID, p.URL, notify)
	for name, text := range map[string]string{"apiclient_key.pem": c.PrivateKey, "api_v3_key": c.APIv3Key, "pub_key.pem": now.PublicKey, "wechatpay.yaml": text} {
		if err := replaceFile(filepath.Join(p.Dir, name), []byte(text)); err != nil {
			return "", err
		}
	}
	return file, nil
}

// bookshop gives the shop that the server knows its stores and keys.
func (d *Demo) bookshop(ctx context.Context) error {
	if len(d.world.Bookshop.Stores) > 0 {
		return nil
	}
	if err := d.hostModels(ctx, models[:1]); err != nil {
		return err
	}
	shop := *d.world.Bookshop
	if err := d.furnish(ctx, &shop, &bookshop); err != nil {
		return fmt.Errorf("merchant %s: %w", shop.Name, err)
	}
	d.world.Bookshop = &shop
	return d.world.Save(d.Dir)
}
