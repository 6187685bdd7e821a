package main

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/mianmi/mianmi/support/desk"
)

// levelsFlags are the service levels of cases that are not the shipped ones.
type levelsFlags struct {
	CaseLevels []string `placeholder:"LEVEL,…" help:"Service levels of cases other than the shipped ones, as KIND=ANSWER/DECISION or RAIL.KIND=ANSWER/DECISION: loss=10m/12h, wechatpay.complaint=8h/48h." zh:"与随附不同的工单服务时限，写作 种类=答复/决定，或 渠道.种类=答复/决定，如 loss=10m/12h、wechatpay.complaint=8h/48h。"`
}

// levelMax bounds a service level: nobody waits for longer than a year.
const levelMax = 366 * 24 * time.Hour

// levels are the shipped ones with those that the flag says in their place.
func (f *levelsFlags) levels() (desk.Levels, error) {
	out := desk.Levels{Kinds: maps.Clone(desk.LevelsDefault.Kinds), Rails: map[string]map[desk.Kind]desk.Level{}}
	for _, text := range f.CaseLevels {
		wrong := func(what string) (desk.Levels, error) {
			return desk.Levels{}, fmt.Errorf("--case-levels: %q: %s", text, what)
		}
		name, spans, _ := strings.Cut(text, "=")
		rail, kindName, ofRail := strings.Cut(name, ".")
		if !ofRail {
			rail, kindName = "", rail
		}
		kind := desk.ParseKind(kindName)
		first, decide, found := strings.Cut(spans, "/")
		switch {
		case kind == desk.NoKind:
			return wrong("want feedback, help, loss, fraud, dispute or complaint, of a rail as wechatpay.fraud")
		case ofRail && rail == "":
			return wrong("names no rail before the point")
		case !found:
			return wrong("want ANSWER/DECISION, as 15m/24h")
		}
		var l desk.Level
		for at, span := range map[*time.Duration]string{&l.First: first, &l.Decide: decide} {
			d, err := time.ParseDuration(span)
			if err != nil || d < time.Minute || d > levelMax {
				return wrong("want times from 1m to 8784h")
			}
			*at = d
		}
		if l.First > l.Decide {
			return wrong("the first answer is due after the decision")
		}
		if !ofRail {
			out.Kinds[kind] = l
			continue
		}
		if out.Rails[rail] == nil {
			out.Rails[rail] = map[desk.Kind]desk.Level{}
		}
		out.Rails[rail][kind] = l
	}
	return out, nil
}
