package main

import (
	"context"
	"time"

	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support/desk"
)

// withCases makes the support desk, and what payers are told.
func (s *services) withCases(a *app, db *store.DB, t *tuning) (err error) {
	if s.inbox, err = inbox.New(db, s.payments); err != nil {
		return err
	}
	folder, err := t.filesFolder(a, s.keys)
	if err != nil {
		return err
	}
	levels, err := t.levels()
	if err != nil {
		return err
	}
	s.cases, err = desk.New(desk.Parts{Store: db, Payers: s.payers, Payments: s.payments, Staff: db, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log, Files: folder, Levels: levels,
		Refunds: s.payments, Limits: t.limits(), Complaints: s.complaints})
	return err
}

// caseDeadlines tells of deadlines of cases.
func caseDeadlines(s *services) worker {
	return worker{"tell of cases' deadlines", 10 * time.Second, func(ctx context.Context) (bool, error) {
		n, err := s.cases.Escalate(ctx)
		return n > 0, err
	}}
}

// takeComplaints lets the cases of complaints follow these.
func takeComplaints(s *services) worker {
	return worker{"take complaints up", time.Second, func(ctx context.Context) (bool, error) {
		n, err := s.cases.TakeComplaints(ctx)
		return n > 0, err
	}}
}

// sweepFiles removes files that no case has.
func sweepFiles(s *services) worker {
	return worker{"sweep files of cases", time.Minute, func(ctx context.Context) (bool, error) {
		n, err := s.cases.SweepFiles(ctx)
		return n > 0, err
	}}
}
