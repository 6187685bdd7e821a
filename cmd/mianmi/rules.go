package main

// rulesCmd is "mianmi rules": what works on files alone stands in rulesTools,
// what changes the packs in force in rulesPacks.
type rulesCmd struct {
	rulesTools
	rulesPacks
}

// rulesTools read and try rules; none of them needs a database. One field a
// subcommand, each in a file of its own.
type rulesTools struct{}
