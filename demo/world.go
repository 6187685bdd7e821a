package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// World is what has been loaded, as it is kept in the data folder. Tokens and
// the password in it open this example world alone.
type World struct {
	// Database says which database the world is in, so that no other one is
	// taken for it.
	Database string `json:"database"`
	// Whole is set once everything is loaded; a world that is not was cut off.
	Whole     bool       `json:"whole"`
	WalletKey string     `json:"wallet_key"`
	Merchants []Merchant `json:"merchants"`
	Payers    []Payer    `json:"payers"`
	// Bookshop is the merchant that takes payments through WeChat Pay; nil in
	// the world of the instance that is WeChat Pay to it.
	Bookshop *Merchant `json:"bookshop,omitempty"`
	// WeChat is what the first merchant of such a world is called in WeChat
	// Pay's form, with its keys.
	WeChat   *client.WechatCredentials `json:"wechat,omitempty"`
	Payments int                       `json:"payments"` // of its history
}

// Merchant is a merchant of the world with its API keys.
type Merchant struct {
	ID     mianmi.MerchantID `json:"id"`
	Name   string            `json:"name"`
	POS    string            `json:"pos_key"`    // takes payments, refunds
	Office string            `json:"office_key"` // settings
	Stores []Store           `json:"stores"`
	// Annex is the store whose terminals are programs of their own; nil: none.
	Annex *Store `json:"annex,omitempty"`
	// Spare is a terminal that proves what it runs and that nobody has started.
	Spare *Terminal `json:"spare,omitempty"`
}

// Store is a store with its terminals.
type Store struct {
	ID        mianmi.StoreID `json:"id"`
	Name      string         `json:"name"`
	Terminals []Terminal     `json:"terminals"`
}

// Terminal is a machine in a store.
type Terminal struct {
	ID     mianmi.TerminalID `json:"id"`
	Name   string            `json:"name"`
	Keypad bool              `json:"keypad"`
}

// Payer is a person of the world.
type Payer struct {
	ID    mianmi.PayerID        `json:"id"`
	Name  string                `json:"name"`
	Phone string                `json:"phone"`
	Cards []mianmi.InstrumentID `json:"cards,omitempty"`
}

const worldFile = "world.json"

// Load reads the world that lies in a folder; nil when there is none.
func Load(dir string) (*World, error) {
	text, err := os.ReadFile(filepath.Join(dir, worldFile)) //nolint:gosec // the folder is the user's own choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w := &World{}
	if err := json.Unmarshal(text, w); err != nil {
		return nil, fmt.Errorf("read %s: %w", worldFile, err)
	}
	return w, nil
}

// Claim returns the world of a folder for a database, and notes that the
// database is this demo's before anything is written into it.
func Claim(dir, database string) (*World, error) {
	w, err := Load(dir)
	if err != nil || w != nil && w.Database == database {
		return w, err
	}
	w = &World{Database: database}
	return w, w.Save(dir)
}

// Save writes the world into the folder, whole or not at all.
func (w *World) Save(dir string) error {
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, worldFile), append(text, '\n'))
}

// replaceFile writes a file that only its owner may read.
func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
