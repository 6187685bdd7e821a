package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/risk"
)

func (s *Server) registerQuestions() {
	add(s, route{method: "GET", path: "/v1/payers/{payer}/questions", name: "questions", tag: "payers", may: only(readers...).and(mianmi.RolePayer),
		summary: "What a payer is asked: was it you?", about: "What risk rules found and ask the payer about, newest first, with what was answered."}, s.questions)
	add(s, route{method: "POST", path: "/v1/payers/{payer}/questions/{question}/answer", name: "answerQuestion", tag: "payers", may: only(mianmi.RolePayer),
		summary: "Say whether it was me",
		about: "no: every payment asks for authentication before this returns, a case of fraud is opened and the alarm is raised. yes: needs the payment password, so that whoever only " +
			"holds the phone cannot say it; it ends what the same rule's step_up placed, and never a freeze. Without an answer in time payments ask for authentication; " +
			"an answer counts after that, too. The same answer again changes nothing."}, s.answerQuestion)
}

// Question is that a payer is asked "was it you?".
type Question struct {
	ID         string     `json:"id"`
	Rule       string     `json:"rule" doc:"The risk rule that asks"`
	Payment    string     `json:"payment,omitzero" doc:"At which it was found"`
	AskedAt    time.Time  `json:"asked_at"`
	Until      time.Time  `json:"until" doc:"Within which an answer is waited for"`
	Answer     string     `json:"answer,omitzero" enum:"yes,no,none," doc:"none: nobody answered in time"`
	AnsweredAt *time.Time `json:"answered_at,omitzero"`
}

func showQuestion(p *risk.Protection) Question {
	return Question{ID: string(p.ID), Rule: p.Rule, Payment: string(p.Payment), AskedAt: p.TakenAt.UTC(), Until: p.Until.UTC(), Answer: p.Answer.String(),
		AnsweredAt: timeOrNone(p.AnsweredAt)}
}

func (s *Server) questions(ctx context.Context, a mianmi.Actor, in *PayerInput) (*struct{ Body List[Question] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	list, err := s.Risk.Questions(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return listOf(list, len(list)+1, showQuestion, func(p *risk.Protection) string { return string(p.ID) }), nil
}

// AnswerBody is yes or no.
type AnswerBody struct {
	Answer   string `json:"answer" enum:"yes,no"`
	Password string `json:"password,omitzero" doc:"The payment password, for yes"`
}

func (s *Server) answerQuestion(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Question string `path:"question" doc:"ms…"`
	Body     AnswerBody
}) (*struct{ Body Question }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	p, err := s.Risk.Answer(ctx, a, id, mianmi.MeasureID(in.Question), risk.Reply{Yes: in.Body.Answer == payer.Confirmed.String(), Password: in.Body.Password})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Question }{showQuestion(&p)}, nil
}
