package protocol_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

var update = flag.Bool("update", false, "write the schemas and the vectors anew")

// amount is money as it is on the wire.
type amount struct {
	Minor    int64  `json:"minor" doc:"Minor units (分, cents)"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217"`
}

// The schemas that makers of terminals build on are those of the forms.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]any{
		"config": protocol.Config{}, "report": protocol.Report{}, "signed-report": protocol.Signed{}, "hint": protocol.Hint{},
		"config-ask": protocol.ConfigAsk{}, "answer": protocol.Answer{}, "receipt": protocol.Receipt{},
		"enrolment": protocol.Enrolment{}, "renewal": protocol.Renewal{}, "enrolled": protocol.Enrolled{}, "echo": protocol.Echo{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defs := huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)
			defs.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[amount]())
			defs.RegisterTypeAlias(reflect.TypeFor[*money.Amount](), reflect.TypeFor[amount]())
			defs.RegisterTypeAlias(reflect.TypeFor[protocol.Hash](), reflect.TypeFor[string]())
			defs.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]())
			top := defs.Schema(reflect.TypeOf(form), true, name)
			doc := map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, "$ref": top.Ref, "$defs": defs.Map()}
			text, err := json.MarshalIndent(doc, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			same(t, filepath.Join("..", "..", "docs", "terminal", "schema", name+".json"), append(text, '\n'))
		})
	}
}

// same compares a committed file with what it would be now.
func same(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the forms say now: go test ./terminal/protocol -update", file)
	}
}

// vectors are what another program can try itself on. Bytes are in base64.
type vectors struct {
	About   mianmi.Text    `json:"about"`
	Configs []configVector `json:"configs"`
	Key     []byte         `json:"key"` // SubjectPublicKeyInfo, DER
	KeyID   string         `json:"key_id"`
	Reports []reportVector `json:"reports"`
	Codes   []codeVector   `json:"codes"`
	Echoes  []echoVector   `json:"echoes"`
}

type echoVector struct {
	Name   string   `json:"name"`
	Bytes  []byte   `json:"bytes"`
	Valid  bool     `json:"valid"`
	States []string `json:"states"` // of the channels, as a terminal shows them
}

type configVector struct {
	Name   string `json:"name"`
	Bytes  []byte `json:"bytes"`
	Hash   string `json:"hash"`
	Valid  bool   `json:"valid"`
	Allows bool   `json:"allows"` // PIN-free at 2026-03-01T12:04:31Z
}

type reportVector struct {
	Name   string          `json:"name"`
	Signed json.RawMessage `json:"signed"`
	Valid  bool            `json:"valid"`
}

type codeVector struct {
	Code        string `json:"code"`
	Secret      string `json:"secret,omitempty"`
	Fingerprint []byte `json:"fingerprint,omitempty"`
	Valid       bool   `json:"valid"`
}

// The committed vectors are judged as they say, by this program as by any other.
func TestVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "terminal", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Configs) < 5 || len(v.Reports) < 5 || len(v.Codes) < 3 || len(v.Echoes) < 4 {
		t.Fatalf("%d configs, %d reports, %d codes, %d echoes: too few to try oneself on", len(v.Configs), len(v.Reports), len(v.Codes), len(v.Echoes))
	}
	for _, c := range v.Configs {
		got, err := protocol.DecodeConfig(c.Bytes)
		if (err == nil) != c.Valid || got.Allows(noon) != c.Allows || protocol.HashOf(c.Bytes).String() != c.Hash {
			t.Errorf("config %q: %v, allows %v", c.Name, err, got.Allows(noon))
		}
	}
	public, err := x509.ParsePKIXPublicKey(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := public.(*ecdsa.PublicKey)
	if id, err := protocol.KeyID(key); err != nil || id != v.KeyID {
		t.Errorf("key id %s, %v", id, err)
	}
	for _, r := range v.Reports {
		s, err := protocol.ParseSigned(r.Signed)
		if err == nil {
			_, err = s.Open(key)
		}
		if (err == nil) != r.Valid {
			t.Errorf("report %q: %v", r.Name, err)
		}
	}
	for _, e := range v.Echoes {
		got, err := protocol.ParseEcho(e.Bytes)
		states := []string{}
		for _, c := range got.Channels {
			states = append(states, c.State)
		}
		if (err == nil) != e.Valid || !slices.Equal(states, e.States) || e.Valid && got.Nonce != "n1" {
			t.Errorf("echo %q: %v, %v", e.Name, states, err)
		}
	}
	for _, c := range v.Codes {
		got, err := protocol.ParseEnrolCode(c.Code)
		if (err == nil) != c.Valid || got.Secret != c.Secret || c.Valid && !bytes.Equal(got.CA[:], c.Fingerprint) {
			t.Errorf("code %q: %+v, %v", c.Code, got, err)
		}
	}
}

// The schemas take what is valid, and refuse what is another form.
func TestSchemasTakeTheVectors(t *testing.T) {
	t.Parallel()
	most := money.Of(100_00, "CNY")
	full := protocol.Config{Form: protocol.Form, Terminal: "tm1", Version: 2, PerPayment: &most, KeypadAbove: &most, Methods: []string{"card_tap"},
		Stops: []protocol.Stop{{ID: "es1", Until: noon}}, Because: []protocol.Say{{Level: "merchant", Version: 1}}, LeaseSeconds: 2, ReportSeconds: 1}
	config, err := full.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(report())
	if err != nil {
		t.Fatal(err)
	}
	echo, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{"config": config, "report": text, "hint": []byte(`{"version":3}`), "echo": echo} {
		schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "terminal", "schema", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for want, b := range map[bool][]byte{true: doc, false: []byte(`{"version":"three"}`)} {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); (err == nil) != want {
				t.Errorf("%s: %s: %v", name, b, err)
			}
		}
	}
}
