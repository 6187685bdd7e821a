package settings

import "maps"

// shards is how many parts a table has. A change copies the parts that it
// touches and the list of parts: with 100,000 rows about 400 rows and 2 KiB.
const shards = 256

// table is a map from identifiers to rows that shares with its predecessor all
// that did not change. The zero table is empty. A table is never altered once
// it is part of a Snapshot.
type table[V any] struct {
	parts *[shards]map[string]V
	count int
}

// get returns the row, or the zero V.
func (t table[V]) get(key string) V {
	if t.parts == nil {
		var none V
		return none
	}
	return t.parts[shardOf(key)][key]
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

// edit is a table in the making. It copies a part the first time that it
// writes to it.
type edit[V any] struct {
	table[V]
	own [shards]bool
}

func edited[V any](t table[V]) *edit[V] {
	e := &edit[V]{table: t}
	e.parts = new([shards]map[string]V)
	if t.parts != nil {
		*e.parts = *t.parts
	}
	return e
}

func (e *edit[V]) put(key string, v V) {
	i := shardOf(key)
	if !e.own[i] {
		e.parts[i], e.own[i] = maps.Clone(e.parts[i]), true
		if e.parts[i] == nil {
			e.parts[i] = map[string]V{}
		}
	}
	if _, known := e.parts[i][key]; !known {
		e.count++
	}
	e.parts[i][key] = v
}
