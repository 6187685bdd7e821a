package main

import (
	"regexp"
	"strings"
	"testing"
)

// The policy on terminals is printed as a file that can be changed and set
// again: a stricter one by whoever has the machine, a looser one by two people.
func TestFleetPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.member(t, "first.operator", "operator"), w.member(t, "second.operator", "operator")
	got := w.run(t, "fleet", "policy")
	wantRun(t, "the shipped one", got, exitOK, `"lease_seconds": 900`, "captive_portal")
	shipped := w.file(t, "shipped.json", got.stdout)
	stricter := w.file(t, "stricter.json", strings.Replace(got.stdout, `"menu_locked": false`, `"menu_locked": true`, 1))
	wantRun(t, "the same", w.run(t, "fleet", "policy", "--set="+shipped), exitOK, "nothing changed")
	wantRun(t, "stricter", w.run(t, "fleet", "policy", "--set="+stricter), exitOK, "version 1")
	wantRun(t, "in force", w.run(t, "fleet", "policy"), exitOK, `"menu_locked": true`)
	wantRun(t, "looser, by nobody", w.run(t, "fleet", "policy", "--set="+shipped), exitFailed, "login")
	bad := w.file(t, "bad.json", `{"lease_secs": 5}`)
	wantRun(t, "a word that is none", w.run(t, "fleet", "policy", "--set="+bad), exitFailed, "file", "lease_secs")

	got = w.as(t, first, "fleet", "policy", "--set="+shipped)
	wantRun(t, "looser", got, exitOK, "another person")
	id := regexp.MustCompile(`ap[0-9a-z]{26}`).FindString(got.stdout)
	wantRun(t, "approved by the same", w.as(t, first, "fleet", "policy", "--approve="+id), exitFailed)
	wantRun(t, "still in force", w.run(t, "fleet", "policy"), exitOK, `"menu_locked": true`)
	wantRun(t, "approved", w.as(t, second, "fleet", "policy", "--approve="+id), exitOK, "in force")
	wantRun(t, "in force", w.run(t, "fleet", "policy"), exitOK, `"menu_locked": false`)
}
