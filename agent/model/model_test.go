package model_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/model"
)

// The four families load, each lets people close PIN-free and see what is in
// force, and is named as its file.
func TestShippedFamilies(t *testing.T) {
	t.Parallel()
	want := []string{"android_smart", "linux_countertop", "pinpad_ecr", "qr_box"}
	if d := cmp.Diff(want, model.Families()); d != "" {
		t.Fatal(d)
	}
	for _, family := range want {
		m, err := model.Load(family)
		if err != nil {
			t.Fatal(err)
		}
		if m.Family != family {
			t.Errorf("%s calls itself %s", family, m.Family)
		}
		for _, does := range []model.Action{model.PinFree, model.Methods, model.Test, model.Network, model.Status, model.Update, model.Slips,
			model.Restarts, model.ChangePW} {
			if _, ok := m.Path(does); !ok {
				t.Errorf("%s: nothing in the menu does %s", family, does)
			}
		}
		if !m.Restart.Tightens {
			t.Errorf("%s: goes on PIN-free until its restart", family)
		}
	}
	if _, err := model.Load("../model"); !errors.Is(err, mianmi.Invalid) {
		t.Errorf("a family from elsewhere: %v", err)
	}
}

// A page of the menu is found by its numbers, and nothing else is.
func TestMenuPages(t *testing.T) {
	t.Parallel()
	m, err := model.Load("android_smart")
	if err != nil {
		t.Fatal(err)
	}
	items, way, ok := m.Page("2")
	if !ok || len(way) != 1 || way[0].ZH != "安全设置" || items[0].Does != model.PinFree {
		t.Errorf("page 2: %v %v %v", items, way, ok)
	}
	for _, numbers := range []string{"0", "9", "2.1", "x", "2.", ".", "22", "1.1.1.1.1"} {
		if _, _, ok := m.Page(numbers); ok {
			t.Errorf("there is a page %q", numbers)
		}
	}
}

// A model with a fault is refused as a whole.
func TestBadModels(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("families/qr_box.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"an unknown key":                 {"touch: true", "tuch: true"},
		"an unknown action":              {"does: network", "does: nothing"},
		"an unknown method":              {"cash]", "cheque]"},
		"a QR code without a display":    {"display: true", "display: false"},
		"digits on a screen not touched": {"keypad: none\ntouch: true", "keypad: screen\ntouch: false"},
		"no way to close it":             {"does: pin_free", "does: status"},
		"a label in one language":        {"{zh: 网络检测, en: Network check}", "{zh: 网络检测}"},
	} {
		if !bytes.Contains(good, []byte(change[0])) {
			t.Fatalf("%s: the family has changed", name)
		}
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if _, err := model.Parse(bad); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
