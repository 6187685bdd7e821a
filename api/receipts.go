package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/receipt"
)

func (s *Server) registerReceipts() {
	may := only(allStaff...).and(mianmi.RolePayer).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten | mianmi.ScopePayers)
	const whose = "A payer gets those about the own account and payments, a merchant's people and software those about their merchant, stores and terminals " +
		"(not of payments, whose records name the payer), mianmi's own people every one. receipt_not_ready means: in a second."
	s.plain(route{method: "GET", path: "/v1/receipts/{receipt}", name: "receipt", tag: "evidence", may: may,
		summary: "The receipt of an entry (en…) or a payment's decision (pm…)",
		about:   "Entry, proof and signed checkpoint, to be kept byte for byte: mianmi receipt verify checks it offline, and so does the page /check. " + whose},
		describeReceipt("application/json", huma.TypeObject), s.receipt)
	s.plain(route{method: "GET", path: "/v1/receipts/{receipt}/pdf", name: "receiptPDF", tag: "evidence", may: may,
		summary: "A receipt as one page of paper", about: "In Chinese and English, with a QR code that leads to its check and the receipt itself attached. " + whose},
		describeReceipt("application/pdf", huma.TypeString), s.receiptPDF)
	add(s, route{method: "GET", path: "/v1/receipts/{receipt}/link", name: "receiptLink", tag: "evidence", may: may,
		summary: "A link that leads to the check of a receipt", about: "Whoever has the link can see and check the receipt without logging in. " + whose}, s.receiptLink)

	add(s, route{method: "GET", path: "/v1/log/keys", name: "logKeys", tag: "evidence", may: anybody(),
		summary: "The log's public keys", about: "Compare the one in a receipt with these, and better with a copy that you kept: the first key leads to all later ones by their statements."}, s.logKeys)
	add(s, route{method: "GET", path: "/v1/log/consistency", name: "logConsistency", tag: "evidence", may: anybody(),
		summary: "Proof that the log only grew", about: "From one size to a later one, as RFC 6962 has it (section 2.1.2)."}, s.logConsistency)
	s.plain(route{method: "GET", path: "/v1/log/checkpoint", name: "logCheckpoint", tag: "evidence", may: anybody(),
		summary: "The newest checkpoint", about: "A signed note (c2sp.org/tlog-checkpoint). Tiles of hashes are beside it (c2sp.org/tlog-tiles), so that a client of such logs can be pointed at /v1/log; " +
			"tiles of entries are for operators and auditors."}, describeText, s.logCheckpoint)
	s.plain(route{method: "GET", path: "/v1/log/checkpoint/cosigned", name: "logCosigned", tag: "evidence", may: anybody(),
		summary: "The checkpoint that most witnesses have cosigned", about: "The newest one of these, a signed note with the witnesses' cosignatures (c2sp.org/tlog-cosignature). " +
			"404: no witness is configured, or none has answered yet."}, describeText, s.logCosigned)
	s.registerTiles()
}

// describeReceipt describes a route that answers with a receipt in some form.
func describeReceipt(media, schema string) func(huma.Registry, *huma.Operation) {
	return func(_ huma.Registry, op *huma.Operation) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: "receipt", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(40)}})
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: schema}}}}
	}
}

func describeText(_ huma.Registry, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}
}

// receipt writes the receipt's own bytes: encoded anew they would not verify.
func (s *Server) receipt(c *call) {
	r, err := s.Receipts.Receipt(c.r.Context(), c.actor, c.r.PathValue("receipt"))
	if err != nil {
		s.fail(c, err)
		return
	}
	text, err := r.Text()
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header()["Content-Type"] = headerJSON
	_, _ = c.Write(text) // the caller has gone: nobody to tell
}

// receiptPDF draws the receipt.
func (s *Server) receiptPDF(c *call) {
	id := c.r.PathValue("receipt")
	r, err := s.Receipts.Receipt(c.r.Context(), c.actor, id)
	var page []byte
	if err == nil {
		page, err = s.Receipts.Paper(r, id, origin(c.r))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	h := c.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="mianmi-`+id+`.pdf"`)
	_, _ = c.Write(page) // as above
}

// origin is where a request came in.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// ReceiptInput names a receipt.
type ReceiptInput struct {
	Receipt string `path:"receipt" maxLength:"40" doc:"en… or pm…"`
}

// ReceiptLink is a link to a receipt's check.
type ReceiptLink struct {
	Path string `json:"path" doc:"On this server; the part after # binds the link to the receipt's content" example:"/check/en….…#…"`
}

func (s *Server) receiptLink(ctx context.Context, a mianmi.Actor, in *ReceiptInput) (*struct{ Body ReceiptLink }, error) {
	r, err := s.Receipts.Receipt(ctx, a, in.Receipt)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ReceiptLink }{ReceiptLink{receipt.CheckPath(s.Receipts.Token(in.Receipt), r)}}, nil
}

// LogKeys are the keys of the log, the first one first.
type LogKeys struct {
	Origin string   `json:"origin" doc:"Name of the log"`
	Keys   []LogKey `json:"keys"`
}

// LogKey is one of them.
type LogKey struct {
	Key       string    `json:"key" doc:"Verifier key (c2sp.org/signed-note)"`
	Size      int64     `json:"size" doc:"Checkpoints of more entries than this are signed by it"`
	Since     time.Time `json:"since"`
	Statement string    `json:"statement,omitzero" doc:"By which the key before handed over to it, signed by both"`
}

func (s *Server) logKeys(ctx context.Context, _ mianmi.Actor, _ *struct{}) (*struct{ Body LogKeys }, error) {
	list, err := s.Evidence.Keys(ctx)
	if err != nil {
		return nil, err
	}
	out := LogKeys{Origin: s.Evidence.Name(), Keys: []LogKey{}}
	for _, k := range list {
		out.Keys = append(out.Keys, LogKey{k.Public, k.Size, k.At, k.Statement})
	}
	return &struct{ Body LogKeys }{out}, nil
}

// ConsistencyInput names two sizes of the log.
type ConsistencyInput struct {
	From int64 `query:"from" minimum:"1" required:"true"`
	To   int64 `query:"to" minimum:"1" required:"true"`
}

// Consistency is a proof.
type Consistency struct {
	From  int64    `json:"from"`
	To    int64    `json:"to"`
	Proof [][]byte `json:"proof" doc:"Hashes of 32 bytes"`
}

func (s *Server) logConsistency(ctx context.Context, _ mianmi.Actor, in *ConsistencyInput) (*struct{ Body Consistency }, error) {
	proof, err := s.Evidence.Consistency(ctx, in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := Consistency{From: in.From, To: in.To, Proof: [][]byte{}}
	for _, h := range proof {
		out.Proof = append(out.Proof, h[:])
	}
	return &struct{ Body Consistency }{out}, nil
}

func (s *Server) logCheckpoint(c *call) {
	p, err := s.Evidence.Newest(c.r.Context())
	if err == nil && p.Note == "" {
		err = mianmi.Missing("checkpoint: the log has no entry yet")
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.Write([]byte(p.Note)) // as above
}

func (s *Server) logCosigned(c *call) {
	signed, _, err := s.Evidence.CosignedCheckpoint(c.r.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.Write([]byte(signed)) // as above
}

// registerTiles serves the tiles. Hashes tell nothing but how many entries
// there are: each entry holds 80 random bits, so that no hash can be guessed.
// Entries say what they say, so they are for those who may see everything.
func (s *Server) registerTiles() {
	tile := func(c *call) {
		t, err := evidence.ParseTilePath("tile/" + c.r.PathValue("level") + "/" + c.r.PathValue("tile"))
		if err == nil && (t.L == evidence.EntriesLevel) != (c.route.name == "entryTile") {
			err = mianmi.Missing("tile")
		}
		var b []byte
		if err == nil {
			b, err = s.Evidence.Tile(c.r.Context(), t)
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		h := c.Header()
		h.Set("Content-Type", "application/octet-stream")
		if c.route.may.public {
			h.Set("Cache-Control", "public, max-age=31536000, immutable") // a tile never changes
		}
		_, _ = c.Write(b) // as above
	}
	s.mount(s.prepare(route{method: "GET", path: "/v1/log/tile/{level}/{tile...}", name: "hashTile", may: anybody()}), tile)
	s.mount(s.prepare(route{method: "GET", path: "/v1/log/tile/entries/{tile...}", name: "entryTile", may: only(mianmi.RoleOperator, mianmi.RoleAuditor)}),
		func(c *call) { c.r.SetPathValue("level", "entries"); tile(c) })
}
