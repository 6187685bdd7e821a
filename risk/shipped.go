package risk

import (
	"embed"
	"fmt"
	"sync"
)

//go:embed rules/*.yaml
var files embed.FS

// Shipped are the rules that come with mianmi, by identifier.
var Shipped = sync.OnceValues(func() ([]*Compiled, error) {
	names, err := files.ReadDir("rules")
	if err != nil {
		return nil, fmt.Errorf("list the shipped rules: %w", err)
	}
	var out []*Compiled
	for _, n := range names {
		text, err := files.ReadFile("rules/" + n.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", n.Name(), err)
		}
		r, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name(), err)
		}
		c, err := Compile(r)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
})
