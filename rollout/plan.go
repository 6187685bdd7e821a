package rollout

import (
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
)

// Bounds of a plan. A plan is read by two persons, and lies in every node's
// memory while it runs.
const (
	stagesMax  = 10
	namesMax   = 200 // of all stages together
	idMax      = 32
	secondsMax = 7 * 24 * 60 * 60
	// attestSecondsMin is what a terminal needs to fetch, reboot and report.
	attestSecondsMin = 60
	paymentsMinMax   = PaymentsMost
)

// PaymentsMost is how many payments of a stage are looked at: the newest.
const PaymentsMost = 10_000

// Validate returns an Invalid error that names the first field at fault.
// Whether what it names exists is the caller's to find out.
func (p *Plan) Validate() error {
	if n := len(p.Stages); n < 1 || n > stagesMax {
		return bad("stages", "want 1 to 10 stages")
	}
	names, most := 0, 0
	for i := range p.Stages {
		s := &p.Stages[i]
		field := fmt.Sprintf("stages[%d]", i)
		if err := s.validate(field); err != nil {
			return err
		}
		if s.Permille != 0 && s.Permille < most {
			return bad(field+".permille", "want no less than the stage before: whoever is reached stays reached")
		}
		most = max(most, s.Permille)
		names += s.names()
	}
	if last := &p.Stages[len(p.Stages)-1]; last.Permille != All || last.names() > 0 {
		return bad("stages", "the last stage has to be everybody: permille 1000 and nothing else")
	}
	if names > namesMax {
		return bad("stages", "want at most 200 terminals, stores and models by name; use a share")
	}
	for _, b := range []struct {
		field          string
		n, least, most int64
	}{
		{"attested_permille_min", int64(p.AttestedMin), 0, All}, {"attest_seconds", p.AttestSeconds, attestSecondsMin, secondsMax},
		{"soak_seconds", p.SoakSeconds, 0, secondsMax}, {"declined_permille_max", int64(p.DeclinedMax), 0, All},
		{"unknown_permille_max", int64(p.UnknownMax), 0, All}, {"refused_permille_max", int64(p.RefusedMax), 0, All}, {"payments_min", int64(p.PaymentsMin), 1, paymentsMinMax},
	} {
		if b.n < b.least || b.n > b.most {
			return bad(b.field, fmt.Sprintf("want %d to %d", b.least, b.most))
		}
	}
	return nil
}

func (s *Stage) names() int { return len(s.Terminals) + len(s.Stores) + len(s.Models) }

func (s *Stage) validate(field string) error {
	if s.Permille < 0 || s.Permille > All {
		return bad(field+".permille", "want 0 to 1000 thousandths")
	}
	if s.Permille == 0 && s.names() == 0 {
		return bad(field, "whom does it reach?")
	}
	if err := identifiers(field+".terminals", "tm", s.Terminals); err != nil {
		return err
	}
	if err := identifiers(field+".stores", "st", s.Stores); err != nil {
		return err
	}
	return identifiers(field+".models", "md", s.Models)
}

func identifiers[T ~string](field, prefix string, list []T) error {
	for _, id := range list {
		if !strings.HasPrefix(string(id), prefix) || len(id) > idMax {
			return bad(field, "want identifiers that begin with "+prefix)
		}
	}
	return nil
}

// bad names the field as it stands in an order of a policy.
func bad(field, why string) error { return mianmi.InvalidField("rollout."+field, why) }
