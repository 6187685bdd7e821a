package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// bounds are how long things may take.
type bounds struct{ answer, attempt, comeBack time.Duration }

var usualBounds = bounds{answerMax, attemptMax, comeBackMax}

const (
	// answerMax is how long a node that runs may take for an answer, whatever the
	// database does: the API's deadline of 10 s, a write that had begun then and
	// has its own limit, and a machine that is busy with this test.
	answerMax = 20 * time.Second
	// attemptMax is when a caller gives a connection up.
	attemptMax = 40 * time.Second
	// comeBackMax is how long a caller tries one thing before the service counts
	// as one that does not come back by itself.
	comeBackMax = 3 * time.Minute
	// againAfter is the rest between two attempts. The service asks for a second;
	// a caller who is less polite finds more.
	againAfter = 25 * time.Millisecond
)

// asked is when something was asked first and answered at last.
type asked struct {
	call, end time.Duration // since the stage began
	attempts  int
}

// ask is one thing that a client wants done.
type ask struct {
	who *caller
	// payer is whose password it takes; empty: none.
	payer mianmi.PayerID
	// patient callers wait for a node that does not move: what they ask must not
	// come true after they have given it up.
	patient bool
	do      func(context.Context, *client.Client) error
}

// errGaveUp says that something was not answered for good in all that time.
var errGaveUp = errors.New("no definite answer")

// gaveUp reports that it is not known what became of something: the run ends.
func gaveUp(err error) bool { return errors.Is(err, errGaveUp) }

// ask makes a request until it is answered for good: again when it could not
// be served, at another node when one is gone. The error is a Problem that is
// an answer, or errGaveUp.
func (s *stage) ask(ctx context.Context, rnd *rand.Rand, a ask) (asked, error) {
	out := asked{call: time.Since(s.begun)}
	ctx, cancel := context.WithTimeout(ctx, s.bounds.comeBack)
	defer cancel()
	for {
		n := s.nodes[rnd.IntN(len(s.nodes))]
		err, final := s.attempt(ctx, n, a)
		out.attempts++
		out.end = time.Since(s.begun)
		switch {
		case final:
			s.answers.Add(1)
			return out, err
		case s.verdict.failed():
			return out, errGaveUp
		case ctx.Err() != nil:
			if s.ctx.Err() == nil {
				s.verdict.broken(Recovers, "no definite answer in %v; at last: %v", s.bounds.comeBack, err)
			}
			return out, errGaveUp
		}
		pause(ctx, againAfter)
	}
}

// attempt asks one node once. final says that the answer will not change.
func (s *stage) attempt(ctx context.Context, n *node, a ask) (err error, final bool) {
	api, life := n.now()
	if api == nil {
		return errors.New("the node is down"), false
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.bounds.attempt)
	defer cancel()
	if !a.patient {
		var drop context.CancelFunc
		ctx, drop = n.impatient(ctx)
		defer drop()
	}
	err = a.do(ctx, a.who.as(api))
	took := time.Since(begun)
	well := n.well(life, begun)
	if well && took > s.bounds.answer {
		s.verdict.broken(Answers, "node %d took %v: %v", n.n, took.Round(time.Millisecond), err)
	}
	var p *client.Problem
	if err != nil && !errors.As(err, &p) {
		return err, s.cutOff(ctx, n, life, begun, err)
	}
	s.count(p, took, well)
	if p == nil {
		return nil, true
	}
	switch {
	case p.Code == "bearer_invalid" && a.who.logIn != nil:
		return errors.Join(err, a.who.renew(ctx, api)), false
	case p.Code == "password_locked" && a.payer != "":
		// A try is counted before it is judged. Servers that are killed in between
		// leave right passwords counted as wrong, and support has to help.
		_, help := s.scene.first.as(api).UnlockPassword(ctx, a.payer, client.Basis{Method: "video_call", Ref: "TORTURE"})
		return errors.Join(err, help), false
	case p.Status == http.StatusServiceUnavailable, p.Code == "in_progress", p.Status == http.StatusTooManyRequests:
		return err, false
	case p.Status >= http.StatusInternalServerError, p.Code == "not_a_problem_document", p.Status == http.StatusUnauthorized:
		s.verdict.broken(Answers, "node %d answered %v; its log: %s", n.n, p, n.log.of(ctx, p.RequestID))
		return err, p.Status < http.StatusInternalServerError
	}
	return err, true
}

// cutOff judges a connection that ended without an answer: only a node that
// was killed, paused or left may do that. It is never final.
func (s *stage) cutOff(ctx context.Context, n *node, life int, begun time.Time, err error) bool {
	s.tally.cutOff.Add(1)
	if ctx.Err() != nil {
		return false
	}
	// A kill shows at the callers before it shows at who killed.
	for range 20 {
		if !n.well(life, begun) {
			return false
		}
		pause(ctx, againAfter)
	}
	s.verdict.broken(Answers, "node %d runs and gave no answer: %v", n.n, err)
	return false
}
