package pinfree

// Authentication is what a pack says about authenticating itself.
type Authentication struct {
	// FailuresMax is how many attempts in a row may fail before further ones are
	// blocked (RTS Article 4(3)(b)); 0: the text does not say.
	FailuresMax int64 `json:"failures_max,omitempty" yaml:"failures_max"`
	// CodeOnce: an authentication code is accepted only once (RTS Article 4(1)).
	CodeOnce bool `json:"code_once,omitempty" yaml:"code_once"`
}

// attempts is a compiled Authentication. The zero attempts says nothing.
type attempts struct {
	failuresMax int64 // 0: not said
	codeOnce    bool
}

// failuresBound keeps a slip of the pen from being a rule.
const failuresBound = 100

func (f *faults) compileAuthentication(p *Pack) attempts {
	a := p.Authentication
	if a == nil {
		return attempts{}
	}
	if a.FailuresMax < 0 || a.FailuresMax > failuresBound {
		f.add("authentication.failures_max", "%d is out of range; write 1 to %d, or leave it out", a.FailuresMax, failuresBound)
	}
	if *a == (Authentication{}) {
		f.add("authentication", "says nothing; write failures_max or code_once, or leave it out")
	}
	return attempts{a.FailuresMax, a.CodeOnce}
}

// Attempt is a try to authenticate.
type Attempt struct {
	Failures int64 // attempts that failed in a row just before; negative: not known
	CodeUsed bool  // the authentication code was accepted before
}

// Attempt says whether a try to authenticate may be made: Authenticated when
// nothing stands against it, else Refused with the reasons. No pack at all
// stands against nothing: payers have their own lock besides.
func (s *RuleSet) Attempt(a Attempt) Decision {
	var v verdict
	if s != nil {
		for i := range s.rules {
			v.attempt(&s.rules[i], a)
		}
	}
	if len(v.refusals) > 0 {
		return Decision{Outcome: Refused, Reasons: v.refusals}
	}
	return Decision{Outcome: Authenticated, Reasons: []Why{{Reason: AlreadyVerified}}}
}

// FailuresMax is how many attempts in a row may fail by the strictest pack
// before further ones are blocked; 0 when no pack says. For who counts the
// failures; Attempt answers for one attempt.
func (s *RuleSet) FailuresMax() (least int64) {
	if s == nil {
		return 0
	}
	for i := range s.rules {
		if n := s.rules[i].attempt.failuresMax; n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

func (v *verdict) attempt(p *rules, a Attempt) {
	why := Why{Layer: p.layer, Rule: p.id, Version: p.version}
	if most := p.attempt.failuresMax; most > 0 && (a.Failures < 0 || a.Failures >= most) {
		w := why
		w.Reason, w.Limit, w.Actual = TooManyFailures, most, max(a.Failures, 0)
		v.refuse(w)
	}
	if p.attempt.codeOnce && a.CodeUsed {
		why.Reason = CodeUsed
		v.refuse(why)
	}
}
