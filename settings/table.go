package settings

import (
	"maps"
	"slices"
)

const (
	// shards is how many parts the index of a table has: a new row copies one.
	shards = 256
	// pageRows is how many rows lie together: a changed row copies its page and
	// the list of pages, with 100,000 rows about 6 KiB each.
	pageRows = 128
)

// table is rows by identifier that shares with its predecessor all that did
// not change. A row keeps its number for ever, so that one row can point to
// another by number and needs no look-up. The zero table is empty. A table is
// never altered once it is part of a Snapshot.
type table[V any] struct {
	index *[shards]map[string]int
	pages []*[pageRows]V
	count int
}

// find returns the number of the row with the identifier.
func (t *table[V]) find(key string) (n int, ok bool) {
	if t.index == nil {
		return 0, false
	}
	n, ok = t.index[shardOf(key)][key]
	return n, ok
}

// row returns the row of a number that find or edit.number has given.
func (t *table[V]) row(n int) *V { return &t.pages[n/pageRows][n%pageRows] }

// get returns the row with the identifier, or nil.
func (t *table[V]) get(key string) *V {
	n, ok := t.find(key)
	if !ok {
		return nil
	}
	return t.row(n)
}

// shardOf is FNV-1a over the end of the key: identifiers begin with a time,
// which many have in common, and end with chance.
func shardOf(key string) uint8 {
	const tail = 8 // 40 random bits
	h := uint32(2166136261)
	for i := max(0, len(key)-tail); i < len(key); i++ {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return uint8((h ^ h>>8 ^ h>>16 ^ h>>24) & 0xff)
}

// edit is a table in the making. It copies each part the first time that it
// writes to it; an edit that writes nothing copies nothing.
type edit[V any] struct {
	table[V]
	ownIndex bool
	ownParts [shards]bool
	ownPages map[int]bool // nil: the list of pages is not yet copied
}

// number returns the number of the row with the identifier; a row that is not
// there yet is made.
func (e *edit[V]) number(key string) int {
	if n, ok := e.find(key); ok {
		return n
	}
	n := e.count
	if e.count++; n%pageRows == 0 {
		e.pages = append(e.list(), new([pageRows]V))
		e.ownPages[n/pageRows] = true
	}
	i := shardOf(key)
	if !e.ownIndex {
		index := new([shards]map[string]int)
		if e.index != nil {
			*index = *e.index
		}
		e.index, e.ownIndex = index, true
	}
	if !e.ownParts[i] {
		e.index[i], e.ownParts[i] = maps.Clone(e.index[i]), true
		if e.index[i] == nil {
			e.index[i] = map[string]int{}
		}
	}
	e.index[i][key] = n
	return n
}

// list returns the list of pages as the edit's own.
func (e *edit[V]) list() []*[pageRows]V {
	if e.ownPages == nil {
		e.pages, e.ownPages = slices.Clone(e.pages), map[int]bool{}
	}
	return e.pages
}

// at returns the row with the identifier, to be written; a row that is not
// there yet is made.
func (e *edit[V]) at(key string) *V {
	n := e.number(key)
	page := n / pageRows
	if list := e.list(); !e.ownPages[page] {
		mine := *list[page]
		list[page], e.ownPages[page] = &mine, true
	}
	return e.row(n)
}
