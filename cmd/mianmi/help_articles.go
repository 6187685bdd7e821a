package main

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/mianmi/mianmi/support/help"
)

// withHelp reads the help articles: those that are shipped, and the operator's.
func (s *services) withHelp(t *tuning) (err error) {
	var own fs.FS
	if t.HelpArticles != "" {
		own = os.DirFS(t.HelpArticles)
	}
	if s.help, err = help.New(own); err != nil {
		return fmt.Errorf("--help-articles: %w", err)
	}
	return nil
}
