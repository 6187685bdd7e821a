package rules

import (
	"slices"

	"github.com/mianmi/mianmi/pinfree"
)

// narrower reports whether a is provably met by no payment that b is not met
// by: where a is met b is, and where b is missed a is. What is not known of a
// payment is unknown to both.
func narrower(a, b *pinfree.Condition) bool {
	if sameJSON(a, b) {
		return true
	}
	return sameJSON(otherParts(*a), otherParts(*b)) &&
		among(a.Methods, b.Methods) && among(a.Entries, b.Entries) && among(a.Currencies, b.Currencies) && among(a.Countries, b.Countries) &&
		among(a.Schemes, b.Schemes) && among(a.Kinds, b.Kinds) && among(a.MCC, b.MCC) && among(a.Purposes, b.Purposes) &&
		asked(a.Domestic, b.Domestic) && asked(a.Unattended, b.Unattended) &&
		asked(a.NoPINMerchant, b.NoPINMerchant) && asked(a.UpgradedMerchant, b.UpgradedMerchant) &&
		containsAll(a.NotMCC, b.NotMCC) && excepts(a.Except, b.Except) && (b.CEL == "" || a.CEL == b.CEL)
}

// otherParts is a condition without the parts that narrower compares.
func otherParts(c pinfree.Condition) pinfree.Condition {
	c.Methods, c.Entries, c.Currencies, c.Countries, c.Schemes, c.Kinds, c.MCC, c.Purposes = nil, nil, nil, nil, nil, nil, nil, nil
	c.Domestic, c.Unattended, c.NoPINMerchant, c.UpgradedMerchant = nil, nil, nil, nil
	c.NotMCC, c.Except, c.CEL = nil, nil, ""
	return c
}

// among reports whether a list of wanted values asks for at least as much as
// another; an empty one asks for nothing.
func among(a, b []string) bool { return len(b) == 0 || len(a) > 0 && containsAll(b, a) }

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func asked(a, b *bool) bool { return b == nil || a != nil && *a == *b }

// excepts reports whether everything that b leaves out is left out by a.
func excepts(a, b []pinfree.Condition) bool {
	for i := range b {
		if !slices.ContainsFunc(a, func(c pinfree.Condition) bool { return narrower(&b[i], &c) }) {
			return false
		}
	}
	return true
}

// disjoint reports whether a payment that surely meets a provably misses b.
func disjoint(a, b *pinfree.Condition) bool {
	for _, lists := range [...][2][]string{{a.Methods, b.Methods}, {a.Entries, b.Entries}, {a.Currencies, b.Currencies}, {a.Countries, b.Countries},
		{a.Schemes, b.Schemes}, {a.Kinds, b.Kinds}, {a.Purposes, b.Purposes}} {
		if len(lists[0]) > 0 && len(lists[1]) > 0 && !slices.ContainsFunc(lists[0], func(s string) bool { return slices.Contains(lists[1], s) }) {
			return true
		}
	}
	for _, flags := range [...][2]*bool{{a.Domestic, b.Domestic}, {a.Unattended, b.Unattended}, {a.NoPINMerchant, b.NoPINMerchant},
		{a.UpgradedMerchant, b.UpgradedMerchant}} {
		if flags[0] != nil && flags[1] != nil && *flags[0] != *flags[1] {
			return true
		}
	}
	return slices.ContainsFunc(b.Except, func(c pinfree.Condition) bool { return narrower(a, &c) })
}
