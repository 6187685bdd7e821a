package main

import (
	"regexp"
	"testing"
)

// A case from the command line: opened by a program, taken up and decided by people
// who prove who they are, and found again by its number. What is wrong is told, and
// nobody but the named may decide.
func TestCaseByCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	wantRun(t, "none", w.run(t, "case", "list", "--lang=en"), exitOK, "no such case")
	opened := w.run(t, "case", "open", "--kind=feedback", "希望默认关闭\x1b[2J小额免密", "--lang=en")
	wantRun(t, "a cursor's command in words", opened, exitFailed, "text")
	opened = w.run(t, "case", "open", "--kind=feedback", "希望默认关闭小额免密", "--lang=en")
	wantRun(t, "opened", opened, exitOK, "feedback", "not taken up yet", "希望默认关闭小额免密")
	number := regexp.MustCompile(`number\s+(\S+)`).FindStringSubmatch(opened.stdout)
	if number == nil {
		t.Fatal("no number")
	}
	wantRun(t, "nobody takes it up", w.run(t, "case", "take", number[1], "--lang=en"), exitFailed, "login")
	wantRun(t, "nobody decides", w.run(t, "case", "decide", number[1], "answered", "好", "--lang=en"), exitFailed, "not")
	one, two := w.member(t, "agent.one", "support_agent"), w.member(t, "agent.two", "support_agent")
	wantRun(t, "taken up", w.as(t, one, "case", "take", number[1], "--lang=en"), exitOK, "in progress", "assignee")
	wantRun(t, "decided", w.as(t, two, "case", "decide", number[1], "answered", "已转产品部门", "--lang=zh"), exitOK, "已作出决定", "已答复")
	wantRun(t, "in the list", w.run(t, "case", "list", "--open", "--state=decided", "--lang=zh"), exitOK, number[1], "已作出决定")
	wantRun(t, "no such case", w.run(t, "case", "show", "AAAA2222", "--lang=en"), exitFailed, "no such case")
}

// Compensation from the command line: the account is funded by an operator alone, and
// above the bound a second person approves.
func TestCompensationByCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	agent := func(login string) member { return w.member(t, login, "support_agent") } // a one-time code is for one use
	operator := w.member(t, "operator.one", "operator")
	wantRun(t, "nothing there", w.run(t, "guarantee", "show", "--lang=en"), exitOK, "holds nothing")
	wantRun(t, "nobody funds it", w.run(t, "guarantee", "fund", "bank-1", "100.00", "--lang=en"), exitFailed, "may not")
	wantRun(t, "an agent does not", w.as(t, agent("agent.1"), "guarantee", "fund", "bank-1", "100.00", "--lang=en"), exitFailed, "may not")
	wantRun(t, "an operator does", w.as(t, operator, "guarantee", "fund", "bank-1", "100.00", "--lang=en"), exitOK, "100.00")
	wantRun(t, "it is there", w.run(t, "guarantee", "show", "--lang=en"), exitOK, "100.00")
	opened := w.run(t, "case", "open", "--kind=feedback", "希望默认关闭小额免密", "--lang=en")
	number := regexp.MustCompile(`number\s+(\S+)`).FindStringSubmatch(opened.stdout)
	if number == nil {
		t.Fatal("no number")
	}
	pay := []string{"case", "pay", number[1], "--amount=20.00", "--basis=goodwill", "--lang=en"}
	wantRun(t, "undecided", w.as(t, agent("agent.2"), pay...), exitFailed, "decided first")
	wantRun(t, "decided", w.as(t, agent("agent.3"), "case", "decide", number[1], "answered", "好"), exitOK)
	wantRun(t, "nobody to pay", w.as(t, agent("agent.4"), pay...), exitFailed, "no payer")
	wantRun(t, "nobody pays", w.run(t, pay...), exitFailed, "may not")
	wantRun(t, "no such payout", w.as(t, agent("agent.5"), "case", "approve", "po1", "--lang=en"), exitFailed, "no such payout")
}
