// Package model is the kinds of terminals as data: what a machine has, how a
// change of its settings takes effect, and what its menu looks like. Each
// family is a YAML file; none of them is a real maker's menu.
package model

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/mianmi/mianmi"
)

// Model is one family of terminals.
type Model struct {
	Family   string      `yaml:"family"` // as reports name it: "android_smart", …
	Name     mianmi.Text `yaml:"name"`
	OS       string      `yaml:"os"`
	Keypad   Keypad      `yaml:"keypad"`
	Touch    bool        `yaml:"touch"`
	Display  bool        `yaml:"display"` // can show a QR code
	Printer  bool        `yaml:"printer"`
	Scanner  bool        `yaml:"scanner"`
	Battery  bool        `yaml:"battery"`
	Methods  []string    `yaml:"methods"` // what it can take, by the API's names, in the order of its screen
	Restart  Restart     `yaml:"restart"`
	Minimum  Minimum     `yaml:"minimum"`
	Menu     []Item      `yaml:"menu"`
	Password Password    `yaml:"password"`
}

// Keypad is where a PIN can be typed.
type Keypad string

// The keypads that there are.
const (
	NoKeypad Keypad = "none"
	OnScreen Keypad = "screen"   // digits on glass: never above the amount that the host allows
	Physical Keypad = "physical" // keys of its own
)

// Restart says how a saved setting comes into force.
type Restart struct {
	Needed bool `yaml:"needed"` // false: a saved setting runs at once
	// IdleMinutes is after how long without a payment the terminal restarts by
	// itself when a saved setting waits; 0: somebody has to do it.
	IdleMinutes int `yaml:"idle_minutes"`
	// Tightens says that what a saved setting forbids is no longer done from the
	// moment it is saved, before the restart.
	Tightens bool `yaml:"tightens_at_once"`
}

// Minimum is the oldest of each that the family is supported with.
type Minimum struct {
	App string `yaml:"app"`
	OS  string `yaml:"os"`
}

// Password bounds the operator password of the menu.
type Password struct {
	Digits bool `yaml:"digits"` // digits alone: there is no other keyboard
}

// Item is an entry of the menu: a group of others, or something to do.
type Item struct {
	Does  Action      `yaml:"does"`
	Label mianmi.Text `yaml:"label"`
	Items []Item      `yaml:"items"`
}

// Action is what an entry of the menu does. The list is closed.
type Action string

// What a menu can do.
const (
	Group    Action = "group"
	PinFree  Action = "pin_free" // the switch
	Methods  Action = "methods"  // which methods are accepted, and why
	Test     Action = "test"     // test payment and check of methods
	Network  Action = "network"
	Update   Action = "update"
	Slips    Action = "slips"
	Status   Action = "status" // what runs, what waits, what was proved
	Restarts Action = "restart"
	ChangePW Action = "password"
)

var actions = []Action{Group, PinFree, Methods, Test, Network, Update, Slips, Status, Restarts, ChangePW}

// methods are the API's names of what a terminal can take.
var methods = []string{"cash", "payment_code", "dynamic_qr", "card_tap", "card_insert", "card_swipe"}

//go:embed families/*.yaml
var families embed.FS

// Families returns the names of the shipped families, sorted.
func Families() []string {
	files, _ := fs.Glob(families, "families/*.yaml") // the pattern is sound
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return names
}

// Load returns a shipped family.
func Load(family string) (Model, error) {
	if !slices.Contains(Families(), family) {
		return Model{}, mianmi.InvalidField("model", "want one of "+strings.Join(Families(), ", "))
	}
	text, err := families.ReadFile("families/" + family + ".yaml")
	if err != nil {
		return Model{}, fmt.Errorf("read model %s: %w", family, err)
	}
	return Parse(text)
}

// Bounds of a model's text and menu: what fits on a screen, with room.
const (
	textMax  = 64 << 10
	depthMax = 4
	itemsMax = 9 // each has a digit
)

// Parse reads the YAML of a model. Anything it does not know is an error: a
// maker's slip of the pen must not become a machine's setting.
func Parse(text []byte) (Model, error) {
	var m Model
	if len(text) > textMax {
		return m, mianmi.InvalidField("model", "is too long")
	}
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := d.Decode(&m); err != nil {
		return Model{}, &mianmi.Error{Kind: mianmi.Invalid, Field: "model", Msg: "is not the YAML of a model", Err: err}
	}
	if err := m.check(); err != nil {
		return Model{}, &mianmi.Error{Kind: mianmi.Invalid, Field: "model", Msg: err.Error()}
	}
	return m, nil
}

func (m Model) check() error {
	switch {
	case m.Family == "" || strings.Trim(m.Family, "abcdefghijklmnopqrstuvwxyz_") != "":
		return errors.New("family: want lower-case letters and _")
	case m.Name.ZH == "" || m.Name.EN == "":
		return errors.New("name: wanted in Chinese and English")
	case m.Keypad != NoKeypad && m.Keypad != OnScreen && m.Keypad != Physical:
		return errors.New("keypad: want none, screen or physical")
	case m.Keypad == OnScreen && !m.Touch:
		return errors.New("keypad: digits on the screen need touch")
	case m.Restart.IdleMinutes < 0 || m.Restart.IdleMinutes > 24*60:
		return errors.New("restart.idle_minutes: want 0 to 1440")
	case slices.Contains(m.Methods, "dynamic_qr") && !m.Display:
		return errors.New("methods: dynamic_qr needs a display")
	case len(m.Methods) == 0 || len(m.Methods) > len(methods):
		return errors.New("methods: want at least one")
	}
	for _, name := range m.Methods {
		if !slices.Contains(methods, name) {
			return fmt.Errorf("methods: %q is none", name)
		}
	}
	if err := checkItems(m.Menu, 1); err != nil {
		return err
	}
	if _, ok := m.Path(PinFree); !ok {
		return errors.New("menu: has no pin_free: a terminal must let people close it")
	}
	return nil
}

func checkItems(items []Item, depth int) error {
	if depth > depthMax || len(items) > itemsMax || len(items) == 0 {
		return fmt.Errorf("menu: 1 to %d entries a page, %d pages deep", itemsMax, depthMax)
	}
	for _, i := range items {
		switch {
		case !slices.Contains(actions, i.Does):
			return fmt.Errorf("menu: does: %q is nothing that a terminal does", i.Does)
		case i.Label.ZH == "" || i.Label.EN == "":
			return errors.New("menu: each label is wanted in Chinese and English")
		case i.Does != Group && len(i.Items) > 0:
			return errors.New("menu: only a group has entries")
		case i.Does == Group:
			if err := checkItems(i.Items, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Path returns the labels that lead to the first entry that does it.
func (m Model) Path(what Action) ([]mianmi.Text, bool) { return pathIn(m.Menu, what) }

func pathIn(items []Item, what Action) ([]mianmi.Text, bool) {
	for _, i := range items {
		if i.Does == what {
			return []mianmi.Text{i.Label}, true
		}
		if rest, ok := pathIn(i.Items, what); ok {
			return append([]mianmi.Text{i.Label}, rest...), true
		}
	}
	return nil, false
}

// Page returns the entries under the numbers ("2", "2.1"), counted from 1, and
// the labels on the way; empty numbers are the top.
func (m Model) Page(numbers string) (items []Item, way []mianmi.Text, ok bool) {
	items = m.Menu
	if numbers == "" {
		return items, nil, true
	}
	parts := strings.Split(numbers, ".")
	if len(parts) > depthMax {
		return nil, nil, false
	}
	for _, p := range parts {
		if len(p) != 1 || p[0] < '1' || int(p[0]-'0') > len(items) {
			return nil, nil, false
		}
		i := items[p[0]-'1']
		if i.Does != Group {
			return nil, nil, false
		}
		items, way = i.Items, append(way, i.Label)
	}
	return items, way, true
}
