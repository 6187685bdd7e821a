package main

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// updates is the real client of the machine's programs, with a disk of its own.
func (w *wire) updates() (*update.Client, *disk.Blobs) {
	w.t.Helper()
	folder, lock, err := disk.Open(w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = lock.Close() })
	blobs := done[*disk.Blobs](w.t)(disk.OpenBlobs(filepath.Join(w.t.TempDir(), "programs")))
	return &update.Client{HTTP: w.http, Base: w.base + protocol.PathUpdate, Keep: folder, Clock: w.device.Clock, Model: w.device.Device.Model,
		Platform: "linux-amd64", Here: update.Minimum{App: w.device.Device.App}}, blobs
}

// finds fails unless the machine is offered the version, or is told that it comes
// later.
func (w *wire) finds(when string, c *update.Client, offered bool) *update.Offer {
	w.t.Helper()
	f, err := c.Look(w.t.Context(), func(string) bool { return false })
	if err != nil || (f.Offer != nil) != offered || slices.Contains(f.Held, "1.4.0") == offered {
		w.t.Fatalf("%s: %+v, %v; want it offered: %v", when, f, err, offered)
	}
	return f.Offer
}

// getsNoSpelling fails when the machine gets the held program by some spelling of
// its path.
func (w *wire) getsNoSpelling(sum string) {
	w.t.Helper()
	base, name := protocol.PathUpdate+"/targets/linux_countertop/", sum+".linux-amd64"
	if status, code := w.get(base + "1.4.0/" + name); status != http.StatusTooEarly || code != update.CodeHeld {
		w.t.Errorf("%s: %d %s", w.device.ID, status, code)
	}
	for _, path := range []string{base + "1%2e4%2e0/" + name, base + "/1.4.0/" + name, base + "1.4.0/" + name + "?family=x", base + "1.5.0/../1.4.0/" + name,
		base + "1.5.0/%2e%2e/1.4.0/" + name, "/" + base + "1.4.0/" + name, strings.ToUpper(base) + "1.4.0/" + name, base + "1.4/" + name,
		base + "01.4.0/" + name, base + "1.4.0%2f" + name, base + "1.4.0;/" + name} {
		if status, _ := w.get(path); status < http.StatusBadRequest {
			w.t.Errorf("%s gets %s: %d", w.device.ID, path, status)
		}
	}
}

// A program that is published in stages comes from a running server to the
// terminal that is reached, and to no other by any spelling of its path: not to
// one of another family, not to one that has said nothing, not to one that was
// revoked. Terminals are hinted at a further stage; while it is paused, and once
// it is stopped, nobody new gets it.
func TestProgramInStages(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	ctx := t.Context()
	near, far, foreign, silent := f.machine("收银台 1"), f.machine("收银台 2"), f.machine("收银台 3"), f.machine("收银台 4")
	foreign.device.Device.Model = "android_smart"
	for _, w := range []*wire{near, far, foreign} {
		w.fetch()
		w.report()
	}
	silent.fetch()
	hints := far.connect(f.at["serving MQTT"])

	file := f.world.file(t, "program", "a program of version 1.4.0")
	command := func(args ...string) result { return f.world.run(t, args...) }
	wantRun(t, "init", command("update", "init"), exitOK, "repository begun")
	publish := []string{"update", "publish", "linux_countertop", "1.4.0", file, "--platform=linux-amd64"}
	wantRun(t, "a stage that is none", command(append(publish, "--staged=soon")...), exitFailed, "staged")
	wantRun(t, "published", command(append(publish, "--staged="+string(near.device.ID)+",50%")...), exitOK, "stage 1 of 3  running", "published: linux_countertop 1.4.0")
	for !hints.hint().Update { // that it was published; what follows is of the rollout's steps
	}
	list := done[client.List[client.ProgramRollout]](t)(f.operator.ProgramRollouts(ctx, "linux_countertop", true, client.Page{}))
	if len(list.Items) != 1 || list.Items[0].Version != "1.4.0" || list.Items[0].State != "running" {
		t.Fatalf("%+v", list)
	}
	id := list.Items[0].ID
	wantRun(t, "the list", command("fleet", "rollouts"), exitOK, string(id), "program linux_countertop 1.4.0")
	wantRun(t, "again", command("fleet", "stage", "linux_countertop", "1.4", "--stages=10%"), exitFailed, "staged rollout")
	wantRun(t, "a slip", command("fleet", "stage", "linux_contertop", "1.5.0", "--stages=10%"), exitFailed, "family")

	c, blobs := near.updates()
	o := near.finds("reached", c, true)
	if err := c.Fetch(ctx, o, blobs); err != nil {
		t.Fatal(err)
	}
	later, laterBlobs := far.updates()
	far.finds("not reached", later, false)
	if err := later.Fetch(ctx, o, laterBlobs); !errors.Is(err, update.ErrHeld) {
		t.Errorf("fetched without asking: %v", err)
	}
	for _, w := range []*wire{far, foreign, silent} {
		w.getsNoSpelling(o.Sum)
	}
	if status, _ := silent.get(protocol.PathUpdate + "/timestamp.json"); status != http.StatusOK {
		t.Errorf("metadata: %d", status)
	}

	done[client.ProgramRollout](t)(f.operator.PauseProgramRollout(ctx, id))
	near.finds("paused", c, false)
	wantRun(t, "resumed by nobody", command("fleet", "rollout", string(id), "--resume"), exitFailed, "login")
	done[client.ProgramRollout](t)(f.operator.ResumeProgramRollout(ctx, id))
	near.finds("resumed", c, true)
	for range 2 {
		done[client.ProgramRollout](t)(f.operator.AdvanceProgramRollout(ctx, id))
	}
	far.finds("the last stage", later, true)
	for !hints.hint().Update {
	}
	f.countsProgram(id, near, far)

	wantRun(t, "stopped", command("fleet", "rollout", string(id), "--stop"), exitOK, "stopped")
	far.finds("stopped", later, false)
	wantRun(t, "revoked", command("fleet", "revoke", string(near.device.ID)), exitOK, "")
	if status, code := near.get(protocol.PathUpdate + "/targets/linux_countertop/1.4.0/" + o.Sum + ".linux-amd64"); status != http.StatusUnauthorized || code != "terminal_key_revoked" {
		t.Errorf("revoked: %d %s", status, code)
	}
	wantRun(t, "published again in stages", command(append(publish, "--staged=5%")...), exitFailed, "staged rollout")
}

// countsProgram has one machine run the version and the other wait with it, and
// looks at the live count and the list of those that are outstanding.
func (f *fleetShop) countsProgram(id mianmi.RolloutID, near, far *wire) {
	t, ctx := f.t, f.t.Context()
	t.Helper()
	near.device.Device.App = "1.4.0"
	near.report()
	far.device.Change = func(r *protocol.Report) { r.Update = &protocol.Update{State: "waiting", Version: "1.4.0"} }
	far.report()
	r := done[client.ProgramRollout](t)(f.operator.ProgramRollout(ctx, id))
	if g := r.Figures; g == nil || g.Total != 2 || g.Reached != 2 || g.Running != 1 || g.Delivered != 1 || g.Outstanding != 1 || r.Stage != 3 {
		t.Errorf("%+v, %+v", r, r.Figures)
	}
	left := done[client.List[client.ProgramTerminal]](t)(f.operator.ProgramRolloutOutstanding(ctx, id, client.Page{}))
	if len(left.Items) != 1 || left.Items[0].Terminal != far.device.ID || left.Items[0].State != "waiting" || left.Items[0].Runs != "0.4.0" {
		t.Errorf("outstanding: %+v", left.Items)
	}
	wantRun(t, "one", f.world.run(t, "fleet", "rollout", string(id)), exitOK, "2 of 2 terminals", "run it: 1", string(far.device.ID), "1.4.0 runs after the restart")
}

// Stages and shares are read as people write them; what is none is refused.
func TestParseStages(t *testing.T) {
	t.Parallel()
	all := rollout.Stage{Permille: rollout.All}
	got, err := parseStages("stages", []string{"tm1+st2+md3", "0.5%", "25%"})
	want := []rollout.Stage{{Terminals: []mianmi.TerminalID{"tm1"}, Stores: []mianmi.StoreID{"st2"}, Models: []mianmi.ModelID{"md3"}}, {Permille: 5}, {Permille: 250}, all}
	if plan := rollout.UsualProgram(got...); err != nil || len(got) != len(want) || plan.Validate() != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range want {
		if got[i].Permille != want[i].Permille || !slices.Equal(got[i].Terminals, want[i].Terminals) || !slices.Equal(got[i].Stores, want[i].Stores) ||
			!slices.Equal(got[i].Models, want[i].Models) {
			t.Errorf("stage %d is %+v", i, got[i])
		}
	}
	if got, err := parseStages("stages", []string{"5%", "100%"}); err != nil || len(got) != 2 {
		t.Errorf("everybody was said: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "5", "101%", "-1%", "5.55%", "%", "1e2%", "xx1", "tm1+"} {
		if got, err := parseStages("stages", []string{bad}); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}
