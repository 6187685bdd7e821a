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
