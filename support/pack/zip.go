package pack

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

// Manifest is manifest.json: what the pack is of, and all its other files.
type Manifest struct {
	Version     int      `json:"mianmi_pack"` // 1
	Case        string   `json:"case"`
	Number      string   `json:"number"`
	Log         string   `json:"log"` // its name, the origin of the checkpoint
	LogKey      string   `json:"log_key,omitempty"`
	LogSize     int64    `json:"log_size"` // under the checkpoint
	Checkpoint  string   `json:"checkpoint"`
	WitnessKeys []string `json:"witness_keys,omitempty"`
	Files       []Listed `json:"files"` // by name
}

// Listed is a file of the pack.
type Listed struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
}

const (
	manifestName    = "manifest.json"
	manifestVersion = 1
	receiptsDir     = "receipts/"
)

func (g *gathering) receipts(ctx context.Context, stamp evidence.Stamp) (out []file, key string, err error) {
	log := g.Log.Under(stamp)
	for _, p := range g.proofs {
		var r *evidence.Receipt
		if p.payment != "" {
			r, err = log.RecordReceipt(ctx, p.entry, payment.IsDecided(p.payment))
		} else {
			r, err = log.Receipt(ctx, p.entry)
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", p.name, err)
		}
		text, err := r.Text()
		if err != nil {
			return nil, "", err
		}
		out, key = append(out, file{p.name, text}), r.Key
	}
	return out, key, nil
}

// zip writes the pack: files as they are, by name, the manifest first.
func (g *gathering) zip(ctx context.Context, stamp evidence.Stamp) ([]byte, error) {
	receipts, key, err := g.receipts(ctx, stamp)
	if err != nil {
		return nil, err
	}
	files := slices.Concat(g.files, receipts)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	origin, _, _ := strings.Cut(stamp.Note, "\n")
	m := Manifest{Version: manifestVersion, Case: string(g.whole.ID), Number: g.whole.Number, Log: origin, LogKey: key, LogSize: stamp.Size, Checkpoint: stamp.Note + stamp.Cosignatures,
		WitnessKeys: stamp.Witnesses}
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		m.Files = append(m.Files, Listed{f.name, int64(len(f.content)), hex.EncodeToString(sum[:])})
	}
	text, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", manifestName, err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range append([]file{{manifestName, text}}, files...) {
		at, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store, Modified: g.whole.OpenedAt.UTC().Truncate(time.Second)})
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := at.Write(f.content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}

// encode is the one form of JSON in a pack.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
